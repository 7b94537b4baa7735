// Bytes from a file, a FIFO or a decompressor, a piece at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace fathom {

class ByteReader {
 public:
  virtual ~ByteReader() = default;
  // Fills the front of `out` and returns the number of bytes; 0 only at the end.
  virtual std::size_t read(std::span<char> out) = 0;
  // Bytes of the file on disk read so far, for progress.
  virtual std::uint64_t file_position() const = 0;
};

// The bytes of a file as they are on the disk, packed or not. Throws an input Error when
// the file cannot be opened, and on reading when that fails.
std::unique_ptr<ByteReader> open_file_bytes(const std::string& path);

// A reader that can look ahead, so that a file's first bytes can decide how to read it.
// Nothing is read twice, so it works on a FIFO too.
class PeekReader : public ByteReader {
 public:
  explicit PeekReader(std::unique_ptr<ByteReader> source) : source_(std::move(source)) {}

  // The next bytes, which read() will return again; fewer than asked for only at the
  // end. Valid until the next call.
  std::string_view peek(std::size_t bytes);
  std::size_t read(std::span<char> out) override;
  std::uint64_t file_position() const override { return source_->file_position(); }

 private:
  std::unique_ptr<ByteReader> source_;
  std::string ahead_;           // bytes read from the source to look ahead
  std::size_t ahead_read_ = 0;  // of these, returned by read()
};

}  // namespace fathom

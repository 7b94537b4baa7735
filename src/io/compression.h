// Reading text files a piece or a line at a time, plain or compressed with gzip
// or zstd, told apart by their first bytes. Memory use does not grow with the
// file. A damaged or truncated stream is an input Error that names the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace fathom {

class ByteReader {
 public:
  virtual ~ByteReader() = default;
  // Fills the front of `out` and returns how many bytes; 0 only at the end.
  virtual std::size_t read(std::span<char> out) = 0;
  // Bytes of the file on disk used so far, for progress.
  virtual std::uint64_t file_position() const = 0;
};

// Throws an input Error when the file cannot be read.
std::unique_ptr<ByteReader> open_bytes(const std::string& path);

class LineReader {
 public:
  explicit LineReader(const std::string& path);

  // The next line without its "\n" (and "\r" before it); false at the end. A last
  // line without "\n" counts.
  bool next(std::string& line);
  std::uint64_t line_number() const { return line_number_; }  // of the last line, from 1
  std::uint64_t file_position() const { return bytes_->file_position(); }

 private:
  bool fill();

  std::unique_ptr<ByteReader> bytes_;
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0, end_ = 0;  // unread part of the buffer
  std::uint64_t line_number_ = 0;
};

// The whole content as one string.
std::string read_text(const std::string& path);

}  // namespace fathom

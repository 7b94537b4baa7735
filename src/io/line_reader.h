// Reads text files line by line or whole, packed or not (io/compression.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "io/byte_reader.h"

namespace fathom {

class LineReader {
 public:
  explicit LineReader(const std::string& path);
  explicit LineReader(std::unique_ptr<ByteReader> bytes);

  // Reads the next line, without the "\n" or "\r\n" at its end; false at the end of the file.
  // The last line needs no "\n". Of a line of more than `max_bytes` the rest is left out.
  bool next(std::string& line, std::size_t max_bytes = std::string::npos);
  bool was_cut() const { return cut_; }  // the line read last
  std::uint64_t line_number() const { return line_number_; }  // of the line read last, from 1
  std::uint64_t file_position() const { return bytes_->file_position(); }

 private:
  bool fill();

  std::unique_ptr<ByteReader> bytes_;
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0, end_ = 0;  // unread part of the buffer
  std::uint64_t line_number_ = 0;
  bool cut_ = false;
};

// Fills `out`, or less at the end; returns the number of bytes read.
std::size_t read_fully(ByteReader& bytes, std::span<char> out);
// All remaining bytes of the reader; with `max_bytes` about one more than so many where there are
// more.
std::string read_all(ByteReader& bytes, std::size_t max_bytes = std::string::npos);
// The whole content of a file, unpacked.
std::string read_text(const std::string& path);

}  // namespace fathom

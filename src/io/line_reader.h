// Text files a line at a time, or whole; unpacked as io/compression.h does.
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

// Fills `out` unless the end comes first; returns how many bytes.
std::size_t read_fully(ByteReader& bytes, std::span<char> out);
// All that is left in the reader, as one string.
std::string read_all(ByteReader& bytes);
// The whole content of a file as one string.
std::string read_text(const std::string& path);

}  // namespace fathom

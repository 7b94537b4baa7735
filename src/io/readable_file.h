// An open file to read from, for MappedFile and FileReader.
#pragma once

#include <cstdint>
#include <string>

namespace fathom {

class ReadableFile {
 public:
  // Throws an input Error that names the file when it cannot be opened or is a directory.
  explicit ReadableFile(const std::string& path);
  ~ReadableFile();
  ReadableFile(const ReadableFile&) = delete;
  ReadableFile& operator=(const ReadableFile&) = delete;

  int descriptor() const { return descriptor_; }
  std::uint64_t size() const { return size_; }  // when it was opened

 private:
  // So that the destructor also closes a file that the public constructor refuses.
  explicit ReadableFile(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
  std::uint64_t size_ = 0;
};

}  // namespace fathom

// A file read at any place, by any number of threads, through plain reads: a disk's error is
// an Error here, where memory that maps a file would end the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace fathom {

class FileReader {
 public:
  // Throws an input Error that names the file when it cannot be opened.
  explicit FileReader(std::string path);
  ~FileReader();
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }  // when it was opened

  // Fills `into` with the bytes from `offset` on. Throws an input Error when the file ends
  // before, and a runtime Error when the disk fails.
  void read(std::uint64_t offset, std::span<std::byte> into) const;
  // Lets the operating system begin to read these bytes.
  void will_need(std::uint64_t offset, std::uint64_t bytes) const;

 private:
  std::string path_;
  int file_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace fathom

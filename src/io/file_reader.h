// Reads a file at any offset, from any number of threads. It uses plain reads: when a disk
// fails, a mapped file would end the process, and this throws an Error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "io/readable_file.h"

namespace fathom {

class FileReader {
 public:
  // Throws an input Error that names the file when it cannot be opened.
  explicit FileReader(std::string path);

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return file_.size(); }  // when it was opened

  // Fills `into` with the bytes from `offset` on. Throws an input Error when the file ends
  // before, and a runtime Error when the disk fails.
  void read(std::uint64_t offset, std::span<std::byte> into) const;
  // Asks the operating system to begin reading these bytes.
  void will_need(std::uint64_t offset, std::uint64_t bytes) const;

 private:
  std::string path_;
  ReadableFile file_;
};

}  // namespace fathom

#include "io/file_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.h"

namespace fathom {

FileReader::FileReader(std::string path) : path_(std::move(path)) {
  file_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (file_ < 0 || fstat(file_, &status) != 0 || S_ISDIR(status.st_mode)) {
    const int problem = file_ >= 0 && S_ISDIR(status.st_mode) ? EISDIR : errno;
    if (file_ >= 0) close(file_);
    fail_input("{}: cannot read this file: {}", path_, std::strerror(problem));
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

FileReader::~FileReader() {
  close(file_);
}

void FileReader::read(std::uint64_t offset, std::span<std::byte> into) const {
  while (!into.empty()) {
    const ssize_t count = pread(file_, into.data(), into.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      fail_runtime("{}: reading failed after {} bytes: {}", path_, offset, std::strerror(errno));
    }
    if (count == 0) fail_input("{}: ends after {} bytes; it has been cut off", path_, offset);
    into = into.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

void FileReader::will_need(std::uint64_t offset, std::uint64_t bytes) const {
  if (bytes == 0) return;  // 0 would mean: to the end of the file
  // This is advice: a file system that ignores it only reads later.
  posix_fadvise(file_, static_cast<off_t>(offset), static_cast<off_t>(bytes), POSIX_FADV_WILLNEED);
}

}  // namespace fathom

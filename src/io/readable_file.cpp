#include "io/readable_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/disk_calls.h"
#include "core/error.h"

namespace fathom {

namespace {

[[noreturn]] void refuse(const std::string& path, int problem) {
  fail_input("{}: cannot read this file: {}", path, std::strerror(problem));
}

int open_to_read(const std::string& path) {
  const DiskCall call("opening", path);
  return open(path.c_str(), O_RDONLY | O_CLOEXEC);
}

}  // namespace

ReadableFile::ReadableFile(const std::string& path) : ReadableFile(open_to_read(path)) {
  struct stat status {};
  if (descriptor_ == -1 || fstat(descriptor_, &status) != 0) refuse(path, errno);
  if (S_ISDIR(status.st_mode)) refuse(path, EISDIR);
  size_ = static_cast<std::uint64_t>(status.st_size);
}

ReadableFile::~ReadableFile() {
  if (descriptor_ != -1) close(descriptor_);
}

}  // namespace fathom

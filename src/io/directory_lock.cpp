#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/disk_calls.h"
#include "core/error.h"
#include "io/atomic_file.h"

namespace fathom {

namespace {

std::string this_holder() {
  char host[256] = "?";
  gethostname(host, sizeof host - 1);
  return fmt::format("process {} on {}", getpid(), host);
}

}  // namespace

DirectoryLock::DirectoryLock(std::string directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) fail_input("{}: cannot create this directory: {}", directory, error.message());
  const std::string path = directory + "/.lock";
  const DiskCall call("locking", path);
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file_ < 0) fail_input("{}: cannot write here: {}", path, std::strerror(errno));
  if (flock(file_, LOCK_EX | LOCK_NB) != 0) {
    const int problem = errno;
    char holder[512] = "";
    const ssize_t length = pread(file_, holder, sizeof holder - 1, 0);
    close(std::exchange(file_, -1));
    if (problem != EWOULDBLOCK) fail_input("{}: cannot lock: {}", path, std::strerror(problem));
    fail_input(
        "{}: this directory is in use by {}; wait for it to end, stop it, or choose "
        "another directory",
        directory, length > 0 ? holder : "another process");
  }
  // Names the holder for the message above. If writing this fails, nothing is lost.
  const std::string holder = this_holder();
  if (ftruncate(file_, 0) != 0 || pwrite(file_, holder.data(), holder.size(), 0) < 0) return;
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept
    : file_(std::exchange(other.file_, -1)) {}

// The file stays: removing it would let a second process lock a new file of the
// same name while a third one still waits on the old one.
DirectoryLock::~DirectoryLock() {
  if (file_ >= 0) close(file_);
}

}  // namespace fathom

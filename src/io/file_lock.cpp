#include "io/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/disk_calls.h"
#include "core/error.h"

namespace fathom {

namespace {

std::string this_holder() {
  char host[256] = "?";
  gethostname(host, sizeof host - 1);
  return fmt::format("process {} on {}", getpid(), host);
}

FileLock lock_of(const std::string& directory, LockUse use) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) fail_input("{}: cannot create this directory: {}", directory, error.message());
  const std::string path = directory + "/.lock";
  std::optional<FileLock> lock = FileLock::try_take(path, use);
  if (!lock) {
    fail_input(
        "{}: this directory is in use by {}; wait for it to end, stop it, or choose "
        "another directory",
        directory, FileLock::holder_of(path));
  }
  return std::move(*lock);
}

}  // namespace

std::optional<FileLock> FileLock::try_take(const std::string& path, LockUse use) {
  const DiskCall call("locking", path);
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0) fail_input("{}: cannot write here: {}", path, std::strerror(errno));
  if (flock(file, (use == LockUse::shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
    const int problem = errno;
    close(file);
    if (problem == EWOULDBLOCK) return std::nullopt;
    fail_input("{}: cannot lock: {}", path, std::strerror(problem));
  }
  const std::string holder = this_holder() + (use == LockUse::shared ? ", or others that share it" : "");
  // For messages. If writing this fails, nothing is lost.
  [[maybe_unused]] const bool named =
      ftruncate(file, 0) == 0 && pwrite(file, holder.data(), holder.size(), 0) >= 0;
  return FileLock(file);
}

FileLock::FileLock(FileLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

FileLock::~FileLock() {
  if (file_ >= 0) close(file_);
}

std::string FileLock::holder_of(const std::string& path) {
  char holder[512] = "";
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const ssize_t length = file < 0 ? -1 : pread(file, holder, sizeof holder - 1, 0);
  if (file >= 0) close(file);
  return length > 0 ? holder : "another process";
}

DirectoryLock::DirectoryLock(std::string directory, LockUse use) : lock_(lock_of(directory, use)) {}

}  // namespace fathom

#include "io/recorded_calls.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <regex>

namespace fathom::test {

namespace {
RecordedCalls* recorder = nullptr;
}

RecordedCalls::RecordedCalls(std::string directory) : directory_(std::move(directory)) {
  recorder = this;
}

RecordedCalls::~RecordedCalls() {
  recorder = nullptr;
}

int RecordedCalls::note(const std::string& call) {
  calls_.push_back(call);
  return on_call ? on_call(call) : 0;
}

std::string RecordedCalls::name_of(const std::string& path) const {
  const std::string name = std::filesystem::path(path).lexically_relative(directory_).string();
  return std::regex_replace(name, std::regex("[.](tmp|old|kept)-[0-9]+-[0-9]+"), ".$1");
}

namespace {

// Notes a call; true when it is to fail, with errno set.
template <class Text>
bool fails(Text&& text) {
  if (!recorder) return false;
  const int problem = recorder->note(text());
  errno = problem;
  return problem != 0;
}

std::string path_of(int file) {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(file), error).string();
}

}  // namespace
}  // namespace fathom::test

// These take the place of the C library's functions in this executable.
using fathom::test::fails;
using fathom::test::path_of;
using fathom::test::recorder;

extern "C" int fsync(int file) {
  if (fails([&] { return "fsync " + recorder->name_of(path_of(file)); })) return -1;
  return static_cast<int>(syscall(SYS_fsync, file));
}

extern "C" int sync_file_range(int file, off64_t offset, off64_t bytes, unsigned flags) {
  const auto text = [&] {
    const char* const what = flags & SYNC_FILE_RANGE_WAIT_AFTER ? "await " : "begin ";
    return what + recorder->name_of(path_of(file)) + " " + std::to_string(offset);
  };
  if (fails(text)) return -1;
  return static_cast<int>(syscall(SYS_sync_file_range, file, offset, bytes, flags));
}

extern "C" int rename(const char* from, const char* to) noexcept {
  if (fails([&] { return "rename " + recorder->name_of(from) + " " + recorder->name_of(to); })) {
    return -1;
  }
  return static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

extern "C" int renameat2(int, const char* from, int, const char* to, unsigned flags) noexcept {
  if (fails([&] { return "exchange " + recorder->name_of(from) + " " + recorder->name_of(to); })) {
    return -1;
  }
  return static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags));
}

extern "C" int posix_fadvise(int file, off_t offset, off_t bytes, int advice) noexcept {
  const auto call = [&] {
    return (advice == POSIX_FADV_WILLNEED ? "will need " : "advise ") +
           recorder->name_of(path_of(file)) + " " + std::to_string(offset) + " " +
           std::to_string(bytes);
  };
  if (fails(call)) return errno;
  return syscall(SYS_fadvise64, file, offset, bytes, advice) == 0 ? 0 : errno;
}

extern "C" int madvise(void* data, std::size_t bytes, int advice) noexcept {
  const auto call = [&] {
    const char* name = advice == MADV_SEQUENTIAL ? "sequential "
                       : advice == MADV_RANDOM   ? "random "
                                                 : "advise ";
    return name + std::to_string(bytes);
  };
  if (fails(call)) return -1;
  return static_cast<int>(syscall(SYS_madvise, data, bytes, advice));
}

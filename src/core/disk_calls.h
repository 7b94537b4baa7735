// The calls into the operating system that wait for a disk, noted while they run: a disk, or a
// file server, that hangs lets one never return, and another thread can tell at which file.
#pragma once

#include <chrono>
#include <list>
#include <optional>
#include <string>

namespace fathom {

// Lives as long as a call that waits for a disk. Each call is short on a disk that works, however
// slowly: long work on a file is many of them.
class DiskCall {
 public:
  // `operation`, such as "reading", and `path` outlive it.
  DiskCall(const char* operation, const std::string& path);
  ~DiskCall();
  DiskCall(const DiskCall&) = delete;
  DiskCall& operator=(const DiskCall&) = delete;

 private:
  friend struct DiskCallList;
  struct Entry {
    const char* operation;
    const std::string* path;
    std::chrono::steady_clock::time_point begin;
  };
  std::list<Entry>::iterator entry_;
};

// Of the calls of all threads, the one that runs longest; none when nobody waits for a disk.
struct RunningDiskCall {
  std::string operation, path;
  double seconds = 0;  // since it began
};
std::optional<RunningDiskCall> longest_disk_call();

}  // namespace fathom

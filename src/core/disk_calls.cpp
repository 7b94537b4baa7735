#include "core/disk_calls.h"

#include <cerrno>
#include <mutex>

namespace fathom {

struct DiskCallList {
  std::mutex mutex;
  std::list<DiskCall::Entry> calls;  // the first began first

  static DiskCallList& all() {
    static auto* const list = new DiskCallList;  // threads may use it until the process ends
    return *list;
  }
};

DiskCall::DiskCall(const char* operation, const std::string& path) {
  DiskCallList& all = DiskCallList::all();
  const std::lock_guard lock(all.mutex);
  entry_ = all.calls.insert(all.calls.end(), {operation, &path, std::chrono::steady_clock::now()});
}

DiskCall::~DiskCall() {
  const int problem = errno;  // of the call
  DiskCallList& all = DiskCallList::all();
  {
    const std::lock_guard lock(all.mutex);
    all.calls.erase(entry_);
  }
  errno = problem;
}

std::optional<RunningDiskCall> longest_disk_call() {
  DiskCallList& all = DiskCallList::all();
  const std::lock_guard lock(all.mutex);
  if (all.calls.empty()) return std::nullopt;
  const auto& [operation, path, begin] = all.calls.front();
  const std::chrono::duration<double> running = std::chrono::steady_clock::now() - begin;
  return RunningDiskCall{operation, *path, running.count()};
}

}  // namespace fathom

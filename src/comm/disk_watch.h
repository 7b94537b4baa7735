// DiskWatch: whether the disks that this process waits for answer. Ranks wait for each other's
// disks for as long as these take (PatientWaits), so that a rank whose disk never answers would
// hold up all others: each process looks at its own calls.
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace fathom {

class DiskWatch {
 public:
  // Told once, by the watch's thread, when a call (core/disk_calls.h) has run for `seconds`; 0: no
  // limit, and no thread. The message names the operation and the file or directory.
  DiskWatch(double seconds, std::function<void(const std::string& message)> hangs);

 private:
  std::jthread thread_;
};

}  // namespace fathom

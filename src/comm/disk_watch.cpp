#include "comm/disk_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "core/disk_calls.h"

namespace fathom {
namespace {

// Looks often enough to be late by a tenth at most.
void watch(const std::stop_token& end, double seconds,
           const std::function<void(const std::string&)>& hangs) {
  const std::chrono::duration<double> pause(std::min(1.0, seconds / 10));
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  while (!stopped.wait_for(lock, end, pause, [&] { return end.stop_requested(); })) {
    const auto call = longest_disk_call();
    if (!call || call->seconds < seconds) continue;
    return hangs(fmt::format(
        "{} {} has not ended for {} s: its disk or file server hangs, or needs more than the time "
        "given (parallel.disk_timeout_seconds)",
        call->operation, call->path, seconds));
  }
}

}  // namespace

DiskWatch::DiskWatch(double seconds, std::function<void(const std::string& message)> hangs) {
  if (seconds <= 0) return;
  thread_ = std::jthread([seconds, hangs = std::move(hangs)](const std::stop_token& end) {
    watch(end, seconds, hangs);
  });
}

}  // namespace fathom

#include "parallel/config.h"

#include "core/error.h"

namespace fathom {

CommunicatorOptions communicator_options(const ParallelConfig& c) {
  constexpr double longest = 1e9;  // 31 years; a clock's nanoseconds overflow after 292
  if (!(c.timeout_seconds > 0 && c.timeout_seconds <= longest)) {
    fail_input("parallel.timeout_seconds is {}: use a positive number, at most {:.0f}",
               c.timeout_seconds, longest);
  }
  if (!(c.disk_timeout_seconds >= 0 && c.disk_timeout_seconds <= longest)) {
    fail_input("parallel.disk_timeout_seconds is {}: use 0 (no limit) or more, at most {:.0f}",
               c.disk_timeout_seconds, longest);
  }
  return {c.timeout_seconds, c.peer_memory, c.disk_timeout_seconds};
}

}  // namespace fathom

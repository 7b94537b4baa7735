// SIGINT and SIGTERM as a request to finish the step, save and stop.
#pragma once

#include <csignal>

namespace fathom {

// While one lives, the first SIGINT or SIGTERM is only noted; a second SIGINT
// ends the process at once, as it would have without us. One a process.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // The signal that came first, or 0.
  int received() const;

 private:
  struct sigaction old_interrupt_ {};
  struct sigaction old_terminate_ {};
};

}  // namespace fathom

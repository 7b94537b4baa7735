// SIGINT, SIGTERM and SIGHUP as a request to finish the step, save and stop.
#pragma once

#include <array>
#include <csignal>

namespace fathom {

// While one lives, the first of them is only noted; a second SIGINT ends the process at
// once, as it would have without us. SIGHUP stays ignored where it was (nohup). SIGPIPE is
// ignored: training outlives the reader of its messages. One a process.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // The signal that came first, or 0.
  int received() const;

 private:
  std::array<struct sigaction, 4> old_{};
};

}  // namespace fathom

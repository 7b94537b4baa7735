// SIGINT, SIGTERM and SIGHUP as a request to finish the step, save and stop.
#pragma once

#include <array>
#include <csignal>
#include <thread>

namespace fathom {

// While one lives, the first of them is only noted; a second SIGINT ends the process at
// once, as it would have without us. SIGHUP stays ignored where it was (nohup). SIGPIPE is
// ignored: training outlives the reader of its messages. One a process.
//
// They come to a thread of its own, and neither to the one that makes it nor to those that
// are made while it lives: oneDNN's f32 products point the stack pointer at a buffer on the
// heap, and a signal's frame would be written over what lies before that.
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
  sigset_t old_mask_{};
  std::jthread listener_;
};

}  // namespace fathom

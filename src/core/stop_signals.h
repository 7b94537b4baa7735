// SIGINT, SIGTERM and SIGHUP as a request to finish the step, save and stop.
#pragma once

#include <array>
#include <csignal>
#include <thread>

namespace fathom {

// While this object lives, the first signal is recorded for received(); a SIGINT after it
// ends the process at once. An ignored SIGHUP (nohup) stays ignored. SIGPIPE is ignored:
// training outlives the reader of its messages. At most one object a process.
//
// A thread of its own handles the signals. The thread that makes the object, and all threads
// made while it lives, block them: oneDNN's f32 products point the stack pointer at a buffer
// on the heap, and a signal's frame would overwrite the memory before that buffer.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // The first signal, or 0.
  int received() const;

 private:
  std::array<struct sigaction, 4> old_{};
  sigset_t old_mask_{};
  std::jthread listener_;
};

}  // namespace fathom

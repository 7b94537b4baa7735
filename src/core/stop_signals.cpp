#include "core/stop_signals.h"

#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace fathom {
namespace {

// Global because signals belong to the process; a handler may write no other type.
volatile std::sig_atomic_t first_signal = 0;

extern "C" void note_signal(int signal) {
  if (first_signal != 0 && signal == SIGINT) {
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
    return;
  }
  if (first_signal == 0) first_signal = signal;
}

constexpr std::array signals{SIGINT, SIGTERM, SIGHUP, SIGPIPE};

// The thread that handles the signals does nothing else.
void sleep_until(std::stop_token end) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait(lock, std::move(end), [] { return false; });
}

}  // namespace

StopSignals::StopSignals() {
  first_signal = 0;
  for (std::size_t i = 0; i < signals.size(); ++i) {
    struct sigaction action {};
    action.sa_handler = signals[i] == SIGPIPE ? SIG_IGN : note_signal;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    sigaction(signals[i], &action, &old_[i]);
    const bool was_ignored = signals[i] == SIGHUP && old_[i].sa_handler == SIG_IGN;
    if (was_ignored) sigaction(SIGHUP, &old_[i], nullptr);
  }
  listener_ = std::jthread(sleep_until);
  sigset_t all;
  sigemptyset(&all);
  for (const int signal : signals) sigaddset(&all, signal);
  pthread_sigmask(SIG_BLOCK, &all, &old_mask_);
}

StopSignals::~StopSignals() {
  pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
  for (std::size_t i = 0; i < signals.size(); ++i) sigaction(signals[i], &old_[i], nullptr);
}

int StopSignals::received() const {
  return first_signal;
}

}  // namespace fathom

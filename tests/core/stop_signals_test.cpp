// Signals as a request to stop. Each test is a process of its own: signals belong to it.
#include "core/stop_signals.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <thread>

namespace fathom {
namespace {

// The wait status of a process that does this. An alarm ends one that hangs.
int status_of(const std::function<int()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(work());
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

// Signals that this thread sends itself are handled before raise() returns.
void let_this_thread_be_signalled() {
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

TEST(StopSignals, ComeToAThreadOfTheirOwn) {
  const int status = status_of([] {
    const StopSignals signals;
    if (signals.received() != 0) return 100;
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
      if (sigismember(&blocked, signal) != 1) return 101;
    }
    kill(getpid(), SIGTERM);
    while (signals.received() == 0) std::this_thread::yield();
    return signals.received();
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), SIGTERM);
}

TEST(StopSignals, TheFirstIsNoted) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const int status = status_of([&] {
      const StopSignals signals;
      let_this_thread_be_signalled();
      raise(signal);
      raise(SIGTERM);
      raise(SIGHUP);
      return signals.received();
    });
    ASSERT_TRUE(WIFEXITED(status)) << signal;
    EXPECT_EQ(WEXITSTATUS(status), signal);
  }
}

TEST(StopSignals, ASecondInterruptEndsTheProcess) {
  const int status = status_of([] {
    const StopSignals signals;
    let_this_thread_be_signalled();
    raise(SIGTERM);
    raise(SIGINT);
    return 0;
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGINT);
}

TEST(StopSignals, AClosedPipeIsIgnoredAndAnIgnoredHangUpStaysIgnored) {
  const int status = status_of([] {
    std::signal(SIGHUP, SIG_IGN);
    const StopSignals signals;
    let_this_thread_be_signalled();
    raise(SIGPIPE);
    raise(SIGHUP);
    return signals.received();
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(StopSignals, AfterwardsSignalsDoWhatTheyDid) {
  const int status = status_of([] {
    { const StopSignals signals; }
    raise(SIGTERM);
    return 0;
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

// A second run of a process neither stops by the first one's signal nor ends by its own first
// interrupt.
TEST(StopSignals, BeginAnewEachTime) {
  const int status = status_of([] {
    {
      const StopSignals before;
      let_this_thread_be_signalled();
      raise(SIGTERM);
      if (before.received() != SIGTERM) return 100;
    }
    const StopSignals signals;
    let_this_thread_be_signalled();
    if (signals.received() != 0) return 101;
    raise(SIGINT);  // the first of these
    return signals.received();
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), SIGINT);
}

TEST(StopSignals, AfterwardsTheThreadHearsOfThemAgain) {
  const int status = status_of([] {
    sigset_t before, after;
    sigemptyset(&before);
    sigaddset(&before, SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    std::signal(SIGHUP, SIG_IGN);
    { const StopSignals signals; }
    pthread_sigmask(SIG_SETMASK, nullptr, &after);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
      if (sigismember(&after, signal) != 0) return 100;
    }
    if (sigismember(&after, SIGUSR1) != 1) return 101;
    raise(SIGHUP);  // ignored, as before
    for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) {
      if (std::signal(signal, SIG_DFL) != SIG_DFL) return 102;
    }
    return 0;
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace fathom

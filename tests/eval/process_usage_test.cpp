// What processes below another one take: here those that the test starts.
#include "eval/process_usage.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <thread>

namespace fathom::eval {
namespace {

constexpr std::size_t much = 48 << 20;

// Touches memory, works for a moment and then sleeps.
void work_and_sleep() {
  volatile char* const memory = new char[much];
  for (std::size_t i = 0; i < much; i += 512) memory[i] = 1;
  const clock_t begin = clock();
  while (clock() - begin < CLOCKS_PER_SEC / 10) continue;
  pause();
}

void soon(const std::function<bool()>& holds) {
  for (int i = 0; i < 1500 && !holds(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_TRUE(holds());
}

// Its own, and those of a process that it started.
TEST(ProcessUsage, IsOfAllProcessesBelow) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer has its own memory and threads";
#endif
  for (const bool two : {false, true}) {
    const std::size_t before = memory_below(getpid());
    const double seconds = cpu_seconds_below(getpid());
    const pid_t child = fork();
    if (child == 0) {
      setpgid(0, 0);
      if (two) fork();
      work_and_sleep();
      _exit(0);
    }
    setpgid(child, child);
    const std::size_t count = two ? 2 : 1;
    soon([&] { return memory_below(getpid()) >= before + count * much; });
    soon(
        [&] { return cpu_seconds_below(getpid()) >= seconds + 0.09 * static_cast<double>(count); });
    soon([&] { return !awake_below(getpid()); });
    EXPECT_EQ(memory_below(child) >= much, two) << "without the first one";
    kill(-child, SIGKILL);
    waitpid(child, nullptr, 0);
    soon([&] { return memory_below(getpid()) <= before; });
    EXPECT_EQ(memory_below(child), 0u);
    EXPECT_EQ(cpu_seconds_below(child), 0);
    EXPECT_FALSE(awake_below(child));
  }
}

TEST(ProcessUsage, ProcessesThatWorkAreAwake) {
  const pid_t child = fork();
  if (child == 0) {
    for (;;) continue;
  }
  soon([] { return awake_below(getpid()); });
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_FALSE(awake_below(getpid()));
}

}  // namespace
}  // namespace fathom::eval

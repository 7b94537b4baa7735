// Ranks that mpirun has started, and waiting for what they do.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>

namespace fathom::test {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// True as soon as `condition` is; false after so many seconds.
template <class Condition>
bool within(double seconds, Condition&& condition) {
  const auto start = Clock::now();
  while (!condition()) {
    if (seconds_since(start) > seconds) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

// The process that is `rank` of the job that `mpirun` has started; 0: none (yet).
inline pid_t pid_of(pid_t mpirun, int rank) {
  std::ifstream children("/proc/" + std::to_string(mpirun) + "/task/" + std::to_string(mpirun) +
                         "/children");
  const std::string wanted = "OMPI_COMM_WORLD_RANK=" + std::to_string(rank);
  for (pid_t pid; children >> pid;) {
    std::ifstream environment("/proc/" + std::to_string(pid) + "/environ");
    for (std::string variable; std::getline(environment, variable, '\0');) {
      if (variable == wanted) return pid;
    }
  }
  return 0;
}

}  // namespace fathom::test

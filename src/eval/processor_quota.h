// How much of the machine's processors this process may use.
#pragma once

#include <string>

namespace fathom::eval {

// Processors that the cgroup of this process may use, as cpu.max of it and of those above it says; 1024
// where nothing limits them. Linux counts time by it whatever the number of threads. `root`: where
// cgroups are mounted (version 2); `own`: the process's own file in /proc.
double processor_quota(const std::string& root = "/sys/fs/cgroup", const std::string& own = "/proc/self/cgroup");

}  // namespace fathom::eval

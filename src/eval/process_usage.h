// What the processes of a sandbox take of the machine.
#pragma once

#include <cstddef>

namespace fathom::eval {

// Bytes of all processes below the sandbox's first one, which is a copy of this process and has no
// memory of its own; nor has its child until it starts its program. 0 when all have ended.
std::size_t memory_below(long first);
// Whether a thread of them runs, is ready to, or waits for a disk: does not sleep.
bool awake_below(long first);
// Seconds of processors that they took.
double cpu_seconds_below(long first);

}  // namespace fathom::eval

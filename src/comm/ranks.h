// The one way to start the ranks of a job.
#pragma once

#include <functional>

#include "comm/communicator.h"

namespace fathom {

// Calls body(world) on every rank:
//   under mpirun or srun, on this process as one of the launcher's ranks;
//   else, with `threads` of 2 or more, on so many threads of this process at once;
//   else on the calling thread, with a world of one.
// When a rank throws, every other one that waits for it throws too, and the first exception
// is thrown here, with its rank before the message where there are several; under a launcher
// the whole job ends instead (run_mpi_rank). Throws an input Error when threads are asked for
// under a launcher.
void run_ranks(int threads, const CommunicatorOptions& options,
               const std::function<void(Communicator&)>& body);

}  // namespace fathom

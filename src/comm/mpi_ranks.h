// Ranks that are processes launched by mpirun or srun. In a build without MPI a stub
// links, which refuses.
#pragma once

#include <functional>

#include "comm/communicator.h"

namespace fathom {

// Ranks that the launcher of this process has started; 0 when there is no launcher.
int launched_ranks();

// Calls body(world) on this process's rank. When it throws, the message is logged
// with the rank's name and the whole job ends, with exit code 2 for an input Error and
// 1 otherwise. Throws an input Error when this build has no MPI.
void run_mpi_rank(const CommunicatorOptions& options,
                  const std::function<void(Communicator&)>& body);

}  // namespace fathom

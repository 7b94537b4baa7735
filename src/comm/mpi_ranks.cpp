// What is known of the launcher without MPI.
#include "comm/mpi_ranks.h"

#include <cstdlib>

namespace fathom {

int launched_ranks() {
  // Open MPI's mpirun; MPICH's and PMI-2; srun, once PMIx says that it serves an MPI.
  const char* slurm = std::getenv("PMIX_RANK") ? "SLURM_STEP_NUM_TASKS" : "PMI_SIZE";
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", slurm}) {
    if (const char* value = std::getenv(name)) return std::atoi(value);
  }
  return 0;
}

}  // namespace fathom

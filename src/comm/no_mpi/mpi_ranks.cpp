// Stands in for comm/mpi in a build without MPI.
#include "comm/mpi_ranks.h"

#include "core/error.h"

namespace fathom {

void run_mpi_rank(const CommunicatorOptions&, const std::function<void(Communicator&)>&) {
  fail_input(
      "this build of fathom has no MPI: install libopenmpi-dev and configure again, or run the "
      "ranks as threads of one process with --ranks N");
}

}  // namespace fathom

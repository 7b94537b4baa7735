#include "comm/ranks.h"

#include "comm/mpi_ranks.h"
#include "comm/thread_ranks.h"
#include "comm/world_of_one.h"
#include "core/error.h"

namespace fathom {

void run_ranks(int threads, const CommunicatorOptions& options,
               const std::function<void(Communicator&)>& body) {
  if (launched_ranks() > 1) {
    if (threads > 1) {
      fail_input("--ranks starts threads of one process; under mpirun or srun leave it out");
    }
    return run_mpi_rank(options, body);
  }
  if (threads > 1) return run_thread_ranks(threads, options, body);
  body(*world_of_one(options));
}

}  // namespace fathom

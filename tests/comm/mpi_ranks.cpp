// The collectives' check as an MPI program: exit code 0 when all holds.
#include "comm/mpi_ranks.h"

#include <cstdio>

#include "comm/collectives_check.h"

int main() {
  using namespace fathom;
  if (launched_ranks() == 0) {
    std::fputs("run this under mpirun\n", stderr);
    return 2;
  }
  run_mpi_rank({60}, [](Communicator& world) {
    for (Communicator* group : {&world, world.split(world.rank() % 2, "parity").release()}) {
      const std::string wrong = check_collectives(*group);
      if (!wrong.empty()) fail_runtime("{}", wrong);
      if (group != &world) delete group;
    }
  });
  return 0;
}

// Host memory of ranks that are processes, on one machine and on two: who counts together. Run
// on 4 ranks under mpirun; exit code 0 when all is as it should be.
#include <sys/utsname.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "comm/mpi_ranks.h"
#include "core/error.h"
#include "train/machine.h"
#include "train/memory_check.h"

namespace {
std::string pretended_host;  // empty: the machine's name
}

// Takes the place of the C library's in this program.
extern "C" int gethostname(char* name, std::size_t size) noexcept {
  utsname system{};
  if (uname(&system) != 0 || size == 0) return -1;
  const char* const host = pretended_host.empty() ? system.nodename : pretended_host.c_str();
  std::strncpy(name, host, size - 1);
  name[size - 1] = '\0';
  return 0;
}

namespace fathom::test {
namespace {

constexpr std::size_t gib = std::size_t{1} << 30, of_a_process = gib / 2;

TrainPlan plan_of(int ranks) {
  TrainConfig config;
  config.dtype = DTypeChoice::f32;
  config.model.num_layers = 1;
  config.model.hidden_size = 64;
  config.model.num_heads = 4;
  config.train.sequence_length = 32;
  config.train.global_batch = ranks;
  config.train.micro_batch = 1;
  config.train.steps = 1;
  return resolve(config, {300, 10000}, ranks);
}

// Each rank takes 1 GiB, and its process half of one more. `sharing` ranks are on this rank's
// host: they fit into that and not into a byte less.
void check(Communicator& world, std::size_t sharing) {
  const TrainPlan plan = plan_of(world.size());
  const RankGroups groups(world, plan.parallel, plan.config.model);
  MemoryTable table(cpu_device);
  table.add("weights", gib);
  table.add_process("program", of_a_process);
  const std::size_t needed = sharing * (gib + of_a_process);
  require_memory(plan, groups, table, {0, needed});
  std::string refusal;
  try {
    require_memory(plan, groups, table, {0, needed - 1});
  } catch (const Error& error) {
    refusal = error.what();
  }
  const std::string who =
      sharing == 1 ? "this run needs" : fmt::format("the {} ranks that share it need", sharing);
  require(refusal.starts_with(who), "{} ranks of a host: '{}'", sharing, refusal);
}

void check_all(Communicator& world) {
  require(world.size() == 4, "run this on 4 ranks");
  check(world, 4);
  const bool first_host = world.rank() != 2;
  pretended_host = first_host ? "one" : "two";
  check(world, first_host ? 3 : 1);
}

}  // namespace
}  // namespace fathom::test

int main() {
  if (fathom::launched_ranks() == 0) {
    std::fputs("run this under mpirun\n", stderr);
    return 2;
  }
  fathom::run_mpi_rank({60}, fathom::test::check_all);
  return 0;
}

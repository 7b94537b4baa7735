#include "cli/data_crew.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>

#include "cli/data_stages.h"
#include "comm/hosts.h"
#include "comm/ranks.h"
#include "core/error.h"
#include "core/log_redirection.h"
#include "core/parallel.h"

namespace fathom::cli {
namespace {

// A stage may take days, and a rank that dies is noticed by its heartbeat.
constexpr double timeout_seconds = 3e7;

// This rank's share of the processors that it may run on: several ranks of a host share some,
// unless the launcher binds each to its own. 0: unknown.
int processors_of(Communicator& world) {
  cpu_set_t mine;
  CPU_ZERO(&mine);
  if (sched_getaffinity(0, sizeof mine, &mine) != 0) CPU_ZERO(&mine);
  const std::vector<cpu_set_t> all = gather_values(world, mine);
  const std::vector<std::string> hosts = host_identities(world);
  const std::string& host = hosts[static_cast<std::size_t>(world.rank())];
  double share = 0;
  for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (!CPU_ISSET(processor, &mine)) continue;
    int ranks = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      ranks += hosts[i] == host && CPU_ISSET(processor, &all[i]);
    }
    share += 1.0 / ranks;
  }
  return share == 0 ? 0 : std::max(1, static_cast<int>(share + 0.5));
}

// Rank 0's call, as every rank gets it.
std::string called(Communicator& world, const std::string& mine) {
  return gather_texts(world, mine).front();
}

// `work`: the stage's name, a line end, and its config.
void help(const std::string& work) {
  const std::size_t end = work.find('\n');
  help_stage(enum_of<chain::Stage>(work.substr(0, end)).value(), work.substr(end + 1));
}

void follow(Communicator& world) {
  const log::Redirection errors_only([](log::Level, const std::string&) {});
  for (std::string work = called(world, ""); !work.empty(); work = called(world, "")) help(work);
}

}  // namespace

bool DataCrew::alone() const {
  return world_.size() == 1;
}

void DataCrew::check_shared(bool shared) const {
  if (shared && !alone()) {
    fail_input("--shared joins processes that no launcher does; under mpirun or srun leave it out");
  }
}

void DataCrew::call(const std::string& work) {
  called(world_, work);
}

std::string shared_examples(const std::string& call) {
  return fmt::format(
      "On many machines: mpirun --map-by ppr:1:node --bind-to none fathom data {0}\n"
      "As the tasks of a Slurm array: fathom data {0} --shared",
      call);
}

void run_data_ranks(const std::function<void(DataCrew&)>& lead) {
  CommunicatorOptions options;
  options.timeout_seconds = timeout_seconds;
  run_ranks(1, options, [&](Communicator& world) {
    // Asked of all, also where the variable is set: it may be on some hosts alone.
    const int processors = world.size() > 1 ? processors_of(world) : 0;
    if (processors > 0 && !std::getenv("OMP_NUM_THREADS")) set_num_threads(processors);
    if (world.rank() != 0) return follow(world);
    DataCrew crew(world);
    lead(crew);
    if (world.size() > 1) called(world, "");
  });
}

}  // namespace fathom::cli

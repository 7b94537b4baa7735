#include "train/trainer.h"

#include <algorithm>
#include <atomic>

#include "comm/mpi_ranks.h"
#include "comm/rank_device.h"
#include "comm/thread_ranks.h"
#include "core/error.h"
#include "core/parallel.h"
#include "io/atomic_directory.h"
#include "io/atomic_file.h"
#include "model/hugging_face.h"
#include "train/fit.h"
#include "train/training_run.h"

namespace fathom {
namespace {

// The ranks share out what data.verify reads. When one finds damage the job ends.
std::shared_ptr<const PreparedData> open_data(const DataConfig& config, Communicator* world) {
  VerifyShare share;
  if (world) share = {world->rank(), world->size(), [=] { world->throw_if_failed(); }};
  auto data = std::make_shared<const PreparedData>(open_prepared(config, share));
  if (world) wait_for_disks(*world);
  return data;
}

// One rank's run. `world` null: the only one.
int train_rank(TrainConfig config, const TrainOptions& options, const StopSignals& signals,
               Communicator* world) {
  if (world) config.device = rank_device(config.device, *world);
  auto data = open_data(config.data, world);
  TrainPlan plan = resolve_to_fit(config, facts_of(*data), world ? world->size() : 1,
                                  world ? 0 : free_memory(parse_device(config.device)));
  // Ranks that are threads share the machine's cores.
  if (options.ranks > 1) plan.threads = std::max(1, plan.threads / options.ranks);
  set_num_threads(plan.threads);
  std::optional<RankGroups> ranks;
  if (world) ranks.emplace(*world, plan.parallel, plan.config.model);
  const RankGroups* groups = ranks ? &*ranks : nullptr;
  const bool first = !world || world->rank() == 0;
  Machine machine = examine_machine(plan, groups, options.gemm_peak);
  std::optional<DirectoryLock> lock;
  if (first) lock.emplace(plan.config.output);
  // At the end it would be too late.
  if (first && plan.config.checkpoint.enabled) {
    require_replaceable(plan.config.output + "/model", model_files());
  }
  if (world) wait_for_disks(*world);
  const int signal = TrainingRun(std::move(plan), std::move(data), std::move(machine), groups)
                         .run(options, signals);
  if (world) wait_for_disks(*world);  // for what the first rank still writes
  return signal;
}

}  // namespace

int train(const TrainConfig& config, const TrainOptions& options) {
  const StopSignals signals;
  const CommunicatorOptions communication = communicator_options(config.parallel);
  std::atomic<int> signal = 0;
  const auto body = [&](Communicator& world) {
    const int received = train_rank(config, options, signals, &world);
    if (world.rank() == 0) signal = received;
  };
  if (options.ranks > 1 && launched_ranks() > 1) {
    fail_input("--ranks starts threads of one process; under mpirun or srun leave it out");
  }
  if (launched_ranks() > 1) {
    run_mpi_rank(communication, body);
  } else if (options.ranks > 1) {
    run_thread_ranks(options.ranks, communication, body);
  } else {
    return train_rank(config, options, signals, nullptr);
  }
  return signal;
}

}  // namespace fathom

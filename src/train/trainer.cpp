#include "train/trainer.h"

#include <algorithm>
#include <atomic>

#include "comm/rank_device.h"
#include "comm/ranks.h"
#include "core/error.h"
#include "core/parallel.h"
#include "io/atomic_directory.h"
#include "io/atomic_file.h"
#include "model/hugging_face.h"
#include "train/fit.h"
#include "train/run_directory.h"
#include "train/training_run.h"

namespace fathom {
namespace {

// The ranks share out what data.verify reads. When one finds damage the job ends.
std::shared_ptr<const PreparedData> open_data(const DataConfig& config, Communicator& world) {
  const VerifyShare share{world.rank(), world.size(), [&world] { world.throw_if_failed(); }};
  auto data = std::make_shared<const PreparedData>(open_prepared(config, share));
  wait_for_disks(world);
  return data;
}

// One rank's run.
int train_rank(TrainConfig config, const TrainOptions& options, const StopSignals& signals,
               Communicator& world) {
  config.device = rank_device(config.device, world);
  auto data = open_data(config.data, world);
  TrainPlan plan = resolve_to_fit(config, facts_of(*data), world.size(),
                                  free_memory(parse_device(config.device)));
  // Ranks that are threads share the machine's cores.
  if (options.ranks > 1) plan.threads = std::max(1, plan.threads / options.ranks);
  set_num_threads(plan.threads);
  const RankGroups ranks(world, plan.parallel, plan.config.model);
  Machine machine = examine_machine(plan, ranks, options.gemm_peak);
  std::optional<DirectoryLock> lock;
  if (ranks.first()) require_run_directory(plan.config.output);
  if (ranks.first()) lock.emplace(plan.config.output);
  // At the end it would be too late.
  if (ranks.first() && plan.config.checkpoint.enabled) {
    require_replaceable(plan.config.output + "/model", model_files());
  }
  wait_for_disks(world);
  const int signal = TrainingRun(std::move(plan), std::move(data), std::move(machine), ranks)
                         .run(options, signals);
  wait_for_disks(world);  // for what the first rank still writes
  return signal;
}

}  // namespace

int train(const TrainConfig& config, const TrainOptions& options) {
  const StopSignals signals;
  std::atomic<int> signal = 0;
  run_ranks(options.ranks, communicator_options(config.parallel), [&](Communicator& world) {
    const int received = train_rank(config, options, signals, world);
    if (world.rank() == 0) signal = received;
  });
  return signal;
}

}  // namespace fathom

#include "train/trainer.h"

#include <algorithm>
#include <atomic>

#include "comm/rank_device.h"
#include "comm/ranks.h"
#include "core/error.h"
#include "core/log.h"
#include "core/num_threads_scope.h"
#include "io/atomic_directory.h"
#include "io/atomic_file.h"
#include "io/file_lock.h"
#include "model/hugging_face.h"
#include "train/branch.h"
#include "train/data_phases.h"
#include "train/fit.h"
#include "train/machine.h"
#include "train/pretraining.h"
#include "train/run_directory.h"
#include "train/run_outputs.h"
#include "train/watched_observer.h"

namespace fathom {
namespace {

// The ranks divide the files that data.verify reads. When one finds damage the job ends.
std::shared_ptr<const PreparedData> open_data(const DataConfig& config, Communicator& world) {
  const VerifyShare share{world.rank(), world.size(), [&world] { world.throw_if_failed(); }};
  auto data = std::make_shared<const PreparedData>(open_prepared(config, share));
  wait_for_disks(world);
  return data;
}

RunData pretraining_data(const DataConfig& config,
                         const std::shared_ptr<const PreparedData>& data) {
  return {facts_of(*data, config), run_tokenizer(*data), "",
          [data](const TrainPlan& plan, const RankGroups& ranks) {
            return pretraining(plan, data, ranks);
          }};
}

void tell(const RunParts& parts) {
  if (!parts.reading.empty()) log::info("{}", parts.reading);
  for (const std::string& warning : parts.warnings) log::warning("{}", warning);
}

int train_on(Runtime& runtime, const TrainConfig& config, const TrainOptions& options,
             const OpenRunData& open) {
  return on_all_ranks(config.parallel, options, [&](Communicator& world) {
    return train_rank(runtime, config, options, open, world);
  });
}

}  // namespace

int train_rank(Runtime& runtime, TrainConfig config, const TrainOptions& options,
               const OpenRunData& open, Communicator& world) {
  if (config.eval.enabled() && !options.benchmarks) {
    fail_input("eval.tasks: only runs of `fathom train`, `sft` and `dpo` are evaluated: leave it out");
  }
  config.device = rank_device(config.device, world);
  const RunData data = open(config, world);
  RunBeginning beginning = find_beginning(config, options.run.resume, world);
  TrainPlan plan =
      resolve_to_fit(config, data.facts, world.size(), free_memory(parse_device(config.device)));
  plan.branch = std::move(beginning.branch);
  plan.origin = std::move(beginning.origin);
  phase_begins(plan);  // refused before any work
  plan.forecast = options.forecast;
  // Ranks that are threads share the machine's cores.
  if (options.ranks > 1) plan.threads = std::max(1, plan.threads / options.ranks);
  const NumThreadsScope threads(plan.threads);
  const RankGroups ranks(world, plan.parallel, plan.config.model);
  const Machine machine = examine_machine(runtime, plan, ranks);
  const std::string model_directory =
      data.model_directory.empty() ? plan.config.output + "/model" : data.model_directory;
  std::optional<DirectoryLock> lock;
  if (ranks.first()) require_run_directory(plan.config.output);
  if (ranks.first()) lock.emplace(plan.config.output);
  // At the end it would be too late.
  if (ranks.first() && plan.config.checkpoint.enabled) {
    require_replaceable(model_directory, model_files());
  }
  wait_for_disks(world);
  RunParts parts = data.parts(plan, ranks);
  if (ranks.first()) tell(parts);
  RunOutputs outputs(plan, machine, data.tokenizer, model_directory, ranks, parts.reading);
  RunObserver nobody;
  WatchedObserver observer(outputs, options.watcher && ranks.first() ? *options.watcher : nobody);
  if (plan.config.eval.enabled()) {
    parts.benchmarks = options.benchmarks(plan, ranks, data.tokenizer);
  }
  const int signal =
      TrainingRun(runtime, std::move(parts), plan, ranks, observer).run(options.run);
  wait_for_disks(world);  // the first rank may still write
  return signal;
}

int on_all_ranks(const ParallelConfig& config, const TrainOptions& options,
                 const std::function<int(Communicator& world)>& work) {
  std::atomic<int> result = 0;
  run_ranks(options.ranks, communicator_options(config), [&](Communicator& world) {
    const int own = work(world);
    if (world.rank() == 0) result = own;
  });
  return result;
}

int train(Runtime& runtime, const TrainConfig& config, const TrainOptions& options) {
  return train_on(runtime, config, options, [](const TrainConfig& own, Communicator& world) {
    return pretraining_data(own.data, open_data(own.data, world));
  });
}

int train(Runtime& runtime, const TrainConfig& config, const TrainOptions& options,
          const std::shared_ptr<const PreparedData>& data) {
  return train_on(runtime, config, options, [&](const TrainConfig& own, Communicator&) {
    return pretraining_data(own.data, data);
  });
}

}  // namespace fathom

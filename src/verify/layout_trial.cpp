#include "verify/layout_trial.h"

#include <algorithm>

#include "comm/rank_device.h"
#include "core/error.h"
#include "core/num_threads_scope.h"
#include "io/checksum.h"
#include "train/pretraining.h"
#include "train/training_run.h"

namespace fathom {
namespace {

// The checksum of each sequence's inputs and targets.
void append_checksums(const Batch& batch, std::vector<std::uint64_t>& samples) {
  const auto length = static_cast<std::size_t>(batch.sequence_length);
  for (std::size_t b = 0; b < static_cast<std::size_t>(batch.sequences); ++b) {
    Checksum checksum;
    checksum.update(std::as_bytes(std::span(batch.inputs).subspan(b * length, length)));
    checksum.update(std::as_bytes(std::span(batch.targets).subspan(b * length, length)));
    samples.push_back(checksum.value());
  }
}

// All replicas' samples in the order in which one rank would take them: micro-batch by
// micro-batch, and of each one replica after another.
std::vector<std::uint64_t> in_global_order(const RankGroups& ranks,
                                           const std::vector<std::uint64_t>& mine,
                                           std::size_t micro_batches) {
  const std::vector<std::byte> bytes = ranks.world().gather(std::as_bytes(std::span(mine)));
  std::vector<std::uint64_t> all(bytes.size() / sizeof(std::uint64_t));
  std::copy(bytes.begin(), bytes.end(), std::as_writable_bytes(std::span(all)).begin());
  const RankLayout& layout = ranks.plan().layout;
  const auto first_of = [&](int rank) {
    return all.begin() + std::ssize(mine) * static_cast<std::ptrdiff_t>(rank);
  };
  for (int rank = 0; rank < layout.world(); ++rank) {
    const auto replica = first_of(layout.rank_of({0, layout.place_of(rank).dp, 0}));
    require(std::equal(replica, replica + std::ssize(mine), first_of(rank)),
            "{} sees other samples than its replica's first rank", layout.name_of(rank));
  }
  const std::size_t sequences = mine.size() / micro_batches;
  std::vector<std::uint64_t> ordered;
  for (std::size_t m = 0; m < micro_batches; ++m) {
    for (int dp = 0; dp < layout.dp; ++dp) {
      const auto from = first_of(layout.rank_of({0, dp, 0})) + std::ptrdiff_t(m * sequences);
      ordered.insert(ordered.end(), from, from + std::ptrdiff_t(sequences));
    }
  }
  return ordered;
}

// Notes each step's loss and samples.
class TrialRecorder final : public RunObserver {
 public:
  TrialRecorder(const LayoutTrial& trial, const RankGroups& ranks) : trial_(trial), ranks_(ranks) {}

  void batches(std::span<const Batch> batches) override {
    std::vector<std::uint64_t> samples;
    for (const Batch& batch : batches) append_checksums(batch, samples);
    record_.samples.push_back(in_global_order(ranks_, samples, batches.size()));
  }
  void step(const StepRecord& step) override { record_.losses.push_back(step.result.loss); }
  void saved(const SaveResult& result) override {
    if (!result.committed()) fail_runtime("{}: {}", trial_.directory, result.error);
  }
  void end(const RunEnd& end) override { saved(end.saved); }

  TrialRecord take() { return std::move(record_); }

 private:
  const LayoutTrial& trial_;
  const RankGroups& ranks_;
  TrialRecord record_;
};

TrainConfig config_of(const LayoutTrial& trial, Communicator& world) {
  TrainConfig config = trial.config;
  config.output = trial.directory;
  config.init_from.clear();
  config.continue_from.clear();
  config.device = rank_device(config.device, world);
  config.deterministic = true;  // a layout is compared with itself to the bit
  config.guard.on_spike = config.guard.on_nan = GuardAction::ignore;
  config.validation.every_steps = 0;
  config.validation.sample_tokens = 0;
  config.repetition = {};
  config.eval = {};
  config.checkpoint = {};
  config.checkpoint.interval_seconds = 0;
  config.checkpoint.every_steps = trial.save_every;
  config.checkpoint.keep_last = 1000;
  return config;
}

}  // namespace

std::string LayoutTrial::checkpoint(std::int64_t step) const {
  return directory + "/checkpoints/" + checkpoint_name(step);
}

TrialRecord run_trial(Runtime& runtime, const LayoutTrial& trial, Communicator& world) {
  const NumThreadsScope threads(trial.threads);
  const TrainConfig config = config_of(trial, world);
  const auto data = std::make_shared<const PreparedData>(open_prepared(config.data));
  const TrainPlan plan = resolve(config, facts_of(*data, config.data), world.size());
  const RankGroups ranks(world, plan.parallel, plan.config.model);
  RunParts parts = pretraining(plan, data, ranks);
  parts.validator.reset();
  TrialRecorder recorder(trial, ranks);
  TrainingRun(runtime, std::move(parts), plan, ranks, recorder).run({trial.resume});
  return recorder.take();
}

}  // namespace fathom

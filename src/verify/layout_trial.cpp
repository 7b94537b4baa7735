#include "verify/layout_trial.h"

#include <algorithm>
#include <optional>

#include "checkpoint/writer.h"
#include "comm/rank_device.h"
#include "core/error.h"
#include "core/parallel.h"
#include "data/loader.h"
#include "io/checksum.h"
#include "learn/device_batch.h"
#include "train/machine.h"
#include "train/run_state.h"
#include "train/warm_up.h"

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
  const std::vector<std::byte> bytes = gather_bytes(ranks.world(), std::as_bytes(std::span(mine)));
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

class TrialRun {
 public:
  TrialRun(const LayoutTrial& trial, const TrainPlan& plan,
           const std::shared_ptr<const PreparedData>& data, const RankGroups& ranks)
      : trial_(trial),
        plan_(plan),
        ranks_(ranks),
        sampler_(std::make_shared<const Sampler>(std::move(data), plan.config.train.sequence_length,
                                                 static_cast<std::uint64_t>(plan.config.seed),
                                                 plan.config.data.attention_within_documents
                                                     ? AttentionSpan::document
                                                     : AttentionSpan::sequence)),
        identity_(identity_of(plan.config, *data, *sampler_)),
        learner_(learner_options(plan, ranks)),
        uploads_(plan.device) {
    for (std::int64_t i = 0; i < plan.micro_batches; ++i) {
      batches_.emplace_back(uploads_, plan.micro_tokens);
    }
    start();
    // As a training does: ranks whose GPUs wait for each other must not be measuring algorithms.
    if (plan.device.type != DeviceType::cpu) {
      Loader loader(sampler_, loader_options(plan, ranks), position_.next_sample);
      warm_up(learner_, loader, batches_);
    }
    writer_ = std::make_unique<CheckpointWriter>(
        trial.directory, CheckpointConfig{.interval_seconds = 0, .keep_last = 1000},
        learner_.checkpoint_tensors(), position_.steps, ranks.world().split(0, "checkpoint"));
    loader_ =
        std::make_unique<Loader>(sampler_, loader_options(plan, ranks), position_.next_sample);
  }

  TrialRecord run() {
    TrialRecord record;
    while (position_.steps < trial_.last_step) {
      take_step(record);
      if (std::ranges::find(trial_.save_at, position_.steps) != trial_.save_at.end()) save();
    }
    return record;
  }

 private:
  void start() {
    if (trial_.resume_from.empty()) {
      return learner_.initialize_weights(static_cast<std::uint64_t>(plan_.config.seed));
    }
    const Checkpoint checkpoint(trial_.resume_from, Checkpoint::Verify::as_read);
    require_same_run(checkpoint, identity_, plan_.config.model);
    learner_.load(checkpoint);
    position_ = position_in(checkpoint.state());
  }

  void take_step(TrialRecord& record) {
    std::vector<MicroBatch> micro_batches;
    std::vector<std::uint64_t> samples;
    std::int64_t targets = 0;
    for (DeviceBatch& memory : batches_) {
      const Batch batch = loader_->next();
      targets += batch.num_targets;
      append_checksums(batch, samples);
      micro_batches.push_back(memory.upload(learner_.context(), batch));
    }
    const RunPosition before = position_;
    position_.next_sample = loader_->next_sample();
    position_.tokens += plan_.tokens_per_step;
    record.samples.push_back(in_global_order(ranks_, samples, batches_.size()));
    record.losses.push_back(learner_.compute_gradients(micro_batches, targets).loss);
    const double rate = plan_.learning_rate(before);
    learner_.update(rate, ++position_.steps);
  }

  void save() {
    TrainingState state = state_of(position_, {}, identity_, plan_);
    const SaveResult saved = writer_->save_and_wait(learner_.context(), std::move(state));
    if (!saved.committed()) fail_runtime("{}: {}", trial_.directory, saved.error);
  }

  const LayoutTrial& trial_;
  const TrainPlan& plan_;
  const RankGroups& ranks_;
  std::shared_ptr<const Sampler> sampler_;
  RunIdentity identity_;
  Learner learner_;
  OwnedStream uploads_;
  std::vector<DeviceBatch> batches_;
  std::unique_ptr<CheckpointWriter> writer_;
  std::unique_ptr<Loader> loader_;
  RunPosition position_;
};

}  // namespace

TrialRecord run_trial(const LayoutTrial& trial, Communicator& world) {
  set_num_threads(trial.threads);
  const auto data = std::make_shared<const PreparedData>(open_prepared(trial.config.data));
  TrainConfig config = trial.config;
  config.deterministic = true;  // a layout is compared with itself to the bit
  config.device = rank_device(config.device, world);
  const TrainPlan plan = resolve(config, facts_of(*data), world.size());
  const RankGroups ranks(world, plan.parallel, plan.config.model);
  return TrialRun(trial, plan, data, ranks).run();
}

}  // namespace fathom

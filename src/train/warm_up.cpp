#include "train/warm_up.h"

#include <algorithm>

namespace fathom {
namespace {

// The first micro-batch of a step begins its gradients, all others add to them: two show a device
// all that a step has.
std::size_t count_to_show(const std::vector<DeviceBatch>& batches) {
  return std::min<std::size_t>(2, batches.size());
}

}  // namespace

Batch filled_batch(std::int64_t sequences, std::int64_t length) {
  Batch batch;
  batch.sequences = sequences;
  batch.sequence_length = length;
  const auto tokens = static_cast<std::size_t>(sequences * length);
  batch.inputs.assign(tokens, 0);
  batch.targets.assign(tokens, 0);
  batch.num_targets = sequences * length;
  batch.sources.assign(static_cast<std::size_t>(sequences), 0);
  for (std::int64_t row = 0; row <= sequences; ++row) {
    batch.cu_seqlens.push_back(static_cast<std::int32_t>(row * length));
  }
  for (std::int64_t i = 0; i < sequences * length; ++i) {
    batch.positions.push_back(static_cast<std::int32_t>(i % length));
  }
  return batch;
}

void warm_up(Learner& learner, const std::shared_ptr<const BatchSource>& source,
             const LoaderOptions& options, std::int64_t first_sample, const Objective& objective,
             std::vector<DeviceBatch>& batches) {
  Loader loader(source, options, first_sample);
  std::vector<Batch> shown;
  for (std::size_t i = 0; i < count_to_show(batches); ++i) shown.push_back(loader.next());
  const auto show = [&] {
    std::vector<MicroBatch> micro_batches;
    for (std::size_t i = 0; i < shown.size(); ++i) {
      if (objective.weighs_losses()) shown[i].loss_weights.assign(shown[i].inputs.size(), 1.0f);
      micro_batches.push_back(batches[i].upload(learner.context(), shown[i]));
    }
    learner.warm_up(micro_batches);
  };
  show();
  const std::int64_t first_length = shown.front().sequence_length;
  for (const std::int64_t length : source->batch_lengths()) {
    if (length == first_length) continue;
    for (Batch& batch : shown) batch = filled_batch(options.batch_size, length);
    show();
  }
}

}  // namespace fathom

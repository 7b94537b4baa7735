// Whole training steps, run by the trainer's own Learner.
#include <chrono>
#include <span>

#include "cli/bench_measure.h"
#include "train/learner.h"

namespace fathom::cli {
namespace {

// Tensors of a batch, in memory of their own.
class Batch {
 public:
  Batch(Context& context, const StepShape& shape)
      : arena_(context.device, static_cast<std::size_t>(shape.tokens()) * 16 + (1 << 16)) {
    const auto tokens = static_cast<std::size_t>(shape.tokens());
    std::vector<std::int32_t> ids(tokens), positions(tokens);
    for (std::size_t i = 0; i < tokens; ++i) {
      const auto token = static_cast<std::int64_t>(i);
      ids[i] = static_cast<std::int32_t>(token * 7919 % shape.model.vocab_size);
      positions[i] = static_cast<std::int32_t>(token % shape.sequence_length);
    }
    std::vector<std::int32_t> offsets;
    for (std::int64_t i = 0; i <= shape.sequences; ++i) {
      offsets.push_back(static_cast<std::int32_t>(i * shape.sequence_length));
    }
    batch_.ids = batch_.targets = take(context, ids);
    batch_.tokens.positions = take(context, positions);
    batch_.tokens.segments = {take(context, offsets), shape.sequence_length};
  }
  std::span<const MicroBatch> get() const { return {&batch_, 1}; }

 private:
  Tensor take(Context& context, const std::vector<std::int32_t>& values) {
    const Tensor x = arena_.take(DType::i32, {static_cast<std::int64_t>(values.size())});
    copy_bytes(x.data, context.device, values.data(), cpu_device, x.bytes(), context.stream);
    return x;
  }

  Arena arena_;
  MicroBatch batch_;
};

LearnerOptions learner_options(Device device, const StepShape& shape) {
  LearnerOptions options;
  options.model = shape.model;
  options.dtype = shape.dtype;
  options.device = device;
  options.stage = {Recompute::none, 1024};
  options.micro_tokens = options.tokens_per_step = shape.tokens();
  return options;
}

}  // namespace

std::vector<double> measure_steps(Device device, const StepShape& shape, int steps) {
  Learner learner(learner_options(device, shape));
  learner.initialize_weights(1);
  const Batch batch(learner.context(), shape);
  std::vector<double> seconds;
  for (int step = 0; step < steps; ++step) {
    const auto start = std::chrono::steady_clock::now();
    learner.compute_gradients(batch.get(), shape.tokens());
    learner.update(1e-4, step + 1);
    synchronize(device, learner.context().stream);
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return seconds;
}

}  // namespace fathom::cli

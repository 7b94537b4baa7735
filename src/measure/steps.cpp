#include "measure/steps.h"

#include <algorithm>
#include <chrono>
#include <span>

namespace fathom::measure {

using Clock = std::chrono::steady_clock;

LearnerOptions learner_options(const StepShape& shape, const RankGroups& ranks) {
  LearnerOptions options(ranks);
  options.model = shape.model;
  options.dtype = shape.dtype;
  options.device = shape.device;
  options.stage = {shape.recompute, shape.logits_chunk};
  options.sequence_length = shape.sequence_length;
  options.micro_tokens = shape.micro_batch * shape.sequence_length;
  options.tokens_per_step = shape.tokens();
  return options;
}

std::size_t BenchBatches::bytes(const StepShape& shape) {
  return static_cast<std::size_t>(shape.tokens()) * 16 +
         static_cast<std::size_t>(shape.micro_batches()) * (1 << 12);
}

BenchBatches::BenchBatches(Context& context, const StepShape& shape)
    : arena_(context.device, bytes(shape)) {
  for (std::int64_t i = 0; i < shape.micro_batches(); ++i) add(context, shape);
}

void BenchBatches::add(Context& context, const StepShape& shape) {
  std::vector<std::int32_t> positions, offsets;
  for (std::int64_t i = 0; i <= shape.micro_batch; ++i) {
    offsets.push_back(static_cast<std::int32_t>(i * shape.sequence_length));
  }
  for (std::int64_t i = 0; i < shape.micro_batch * shape.sequence_length; ++i) {
    positions.push_back(static_cast<std::int32_t>(i % shape.sequence_length));
  }
  MicroBatch batch;
  batch.ids = take(context, random_tokens(shape));
  batch.targets = take(context, random_tokens(shape));
  batch.tokens.positions = take(context, positions);
  batch.tokens.segments = ops::describe_segments(take(context, offsets), offsets);
  batches_.push_back(batch);
}

std::vector<std::int32_t> BenchBatches::random_tokens(const StepShape& shape) {
  std::uniform_int_distribution<std::int32_t> token(
      0, static_cast<std::int32_t>(shape.model.vocab_size - 1));
  std::vector<std::int32_t> tokens(
      static_cast<std::size_t>(shape.micro_batch * shape.sequence_length));
  for (std::int32_t& id : tokens) id = token(random_);
  return tokens;
}

Tensor BenchBatches::take(Context& context, const std::vector<std::int32_t>& values) {
  const Tensor x = arena_.take(DType::i32, {static_cast<std::int64_t>(values.size())});
  copy_bytes(x.data, context.device, values.data(), cpu_device, x.bytes(), context.stream);
  synchronize(context.device, context.stream);
  return x;
}

BenchSteps::BenchSteps(const StepShape& shape)
    : shape_(shape),
      rank_(shape.model),
      learner_(learner_options(shape, rank_.groups)),
      batches_(learner_.context(), shape) {
  learner_.initialize_weights(1);
  const std::span all(batches_.get());
  learner_.warm_up(all.first(std::min<std::size_t>(all.size(), 2)));
}

double BenchSteps::run(const std::function<void()>& before_update) {
  const auto start = Clock::now();
  learner_.queue_gradients(batches_.get(), shape_.tokens());
  if (before_update) before_update();
  learner_.update(1e-4, ++step_);
  synchronize(shape_.device, context().stream);
  learner_.next_result();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void BenchSteps::heat(double seconds) {
  double spent = 0;
  for (int i = 0; i < 2 || spent < seconds; ++i) spent += run();
}

}  // namespace fathom::measure

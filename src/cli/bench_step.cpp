// Whole training steps, run by the trainer's own Learner, and the operations in them.
#include <algorithm>
#include <chrono>
#include <limits>
#include <random>
#include <span>

#include "cli/bench_measure.h"
#include "train/machine.h"

namespace fathom::cli {
namespace {

using Clock = std::chrono::steady_clock;

LearnerOptions learner_options(const StepShape& shape) {
  LearnerOptions options;
  options.model = shape.model;
  options.dtype = shape.dtype;
  options.device = shape.device;
  options.stage = {shape.recompute, shape.logits_chunk};
  options.sequence_length = shape.sequence_length;
  options.micro_tokens = shape.micro_batch * shape.sequence_length;
  options.tokens_per_step = shape.tokens();
  return options;
}

std::size_t batch_bytes(const StepShape& shape) {
  return static_cast<std::size_t>(shape.tokens()) * 16 +
         static_cast<std::size_t>(shape.micro_batches()) * (1 << 12);
}

// The micro-batches of a step, in memory of their own: random tokens that follow no
// pattern, in whole sequences.
class Batches {
 public:
  Batches(Context& context, const StepShape& shape) : arena_(context.device, batch_bytes(shape)) {
    for (std::int64_t i = 0; i < shape.micro_batches(); ++i) add(context, shape);
  }
  const std::vector<MicroBatch>& get() const { return batches_; }

 private:
  void add(Context& context, const StepShape& shape) {
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
  std::vector<std::int32_t> random_tokens(const StepShape& shape) {
    std::uniform_int_distribution<std::int32_t> token(
        0, static_cast<std::int32_t>(shape.model.vocab_size - 1));
    std::vector<std::int32_t> tokens(
        static_cast<std::size_t>(shape.micro_batch * shape.sequence_length));
    for (std::int32_t& id : tokens) id = token(random_);
    return tokens;
  }
  Tensor take(Context& context, const std::vector<std::int32_t>& values) {
    const Tensor x = arena_.take(DType::i32, {static_cast<std::int64_t>(values.size())});
    copy_bytes(x.data, context.device, values.data(), cpu_device, x.bytes(), context.stream);
    synchronize(context.device, context.stream);
    return x;
  }

  Arena arena_;
  std::mt19937_64 random_{1};
  std::vector<MicroBatch> batches_;
};

class Steps {
 public:
  explicit Steps(const StepShape& shape)
      : shape_(shape), learner_(learner_options(shape)), batches_(learner_.context(), shape) {
    learner_.initialize_weights(1);
    const std::span all(batches_.get());
    learner_.warm_up(all.first(std::min<std::size_t>(all.size(), 2)));
  }

  // Seconds of one.
  double run() {
    const auto start = Clock::now();
    learner_.queue_gradients(batches_.get(), shape_.tokens());
    learner_.update(1e-4, ++step_);
    synchronize(shape_.device, context().stream);
    learner_.next_result();
    return std::chrono::duration<double>(Clock::now() - start).count();
  }
  double run_traced(OperationTrace& trace) {
    context().observer = &trace;
    const double seconds = run();
    context().observer = nullptr;
    trace.end_step();
    return seconds;
  }
  void heat(double seconds) {
    double spent = 0;
    for (int i = 0; i < 2 || spent < seconds; ++i) spent += run();
  }
  Context& context() { return learner_.context(); }

 private:
  StepShape shape_;
  Learner learner_;
  Batches batches_;
  std::int64_t step_ = 0;
};

// The best that the device gives for a row's shape: its call alone, on its own data, by
// the fastest of all algorithms. Nothing else runs between, so the device is as hot as
// it gets.
double best_alone(Context& context, const OperationRow& row) {
  const double budget = context.device.type == DeviceType::cpu ? 0.02 : 0.25;
  double best = std::numeric_limits<double>::infinity();
  context.outputs = Outputs::discarded;
  for (const AlgorithmSearch search : {AlgorithmSearch::exhaustive, AlgorithmSearch::usual}) {
    context.search = search;
    best = std::min(best, sustained_seconds(context, budget, [&] { row.call(context); }));
  }
  return best;
}

}  // namespace

std::size_t step_bytes(const StepShape& shape) {
  return Learner::bytes(learner_options(shape)).device_total() + batch_bytes(shape) +
         device_reserve;
}

StepTimes measure_steps(const StepShape& shape, const Effort& effort) {
  Steps steps(shape);
  StepTimes times;
  steps.heat(effort.heat_seconds);
  if (effort.operations) {
    OperationTrace warm_up(shape.device, shape.model);
    steps.run_traced(warm_up);
  }
  OperationTrace trace(shape.device, shape.model);
  for (int i = 0; i < effort.steps; ++i) {
    times.steps.push_back(steps.run());
    if (effort.operations) times.traced.push_back(steps.run_traced(trace));
  }
  if (!effort.operations) return times;
  times.operations = trace.rows();
  times.gaps = trace.gaps();
  for (OperationRow& row : times.operations) {
    if (row.bound == Bound::products) row.ceiling_seconds = best_alone(steps.context(), row);
    row.call = nullptr;  // its memory goes with this function
  }
  return times;
}

}  // namespace fathom::cli

// Training steps for measurement: the training run's Learner on random tokens that lie on the
// device. Not a TrainingRun, for a measurement wants the step alone, traced or with a save beside
// it, and without the loader, the guard and the files around it.
#pragma once

#include <functional>
#include <random>
#include <span>
#include <vector>

#include "learn/learner.h"
#include "measure/measure.h"

namespace fathom::measure {

// The micro-batches of a step, in memory of their own: random tokens that follow no
// pattern, in whole sequences or in texts that the sequences are packed with.
class BenchBatches {
 public:
  BenchBatches(Context& context, const StepShape& shape);
  static std::size_t bytes(const StepShape& shape);
  const std::vector<MicroBatch>& get() const { return batches_; }

  // Tokens [begin, end) of a micro-batch.
  struct Text {
    std::int64_t begin = 0, end = 0;
  };
  const std::vector<Text>& texts(std::size_t micro_batch) const { return texts_.at(micro_batch); }

 private:
  using Row = std::vector<std::int64_t>;  // the lengths of a sequence's texts

  void add(Context& context, const StepShape& shape, std::span<const Row> rows);
  std::vector<std::int32_t> random_tokens(const StepShape& shape);
  Tensor take(Context& context, const std::vector<std::int32_t>& values);

  Arena arena_;
  std::mt19937_64 random_{1};
  std::vector<MicroBatch> batches_;
  std::vector<std::vector<Text>> texts_;
};

class BenchSteps {
 public:
  explicit BenchSteps(const StepShape& shape);

  // Seconds of one. `before_update` is called when all but the update is queued.
  double run(const std::function<void()>& before_update = {});
  // The same of a step whose loss weights are there before, and of the evaluation of its batches.
  double run_unpaired();
  double evaluate();
  // Runs two at least.
  void heat(double seconds);
  Learner& learner() { return learner_; }
  Context& context() { return learner_.context(); }
  const BenchBatches& batches() const { return batches_; }
  std::int64_t done() const { return step_; }

 private:
  double run(const WeighMicroBatch& weigh, const std::function<void()>& before_update);
  // As the loss of preference training does: by how far apart the losses of two texts are.
  void weigh(std::size_t micro_batch, std::span<const float> losses,
             std::span<float> weights) const;

  StepShape shape_;
  double targets_;
  OneRank rank_;
  Learner learner_;
  BenchBatches batches_;
  std::int64_t step_ = 0;
};

LearnerOptions learner_options(const StepShape& shape, const RankGroups& ranks);

}  // namespace fathom::measure

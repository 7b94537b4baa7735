// Whole training steps and the operations in them.
#include <algorithm>
#include <limits>

#include "measure/steps.h"
#include "train/machine.h"

namespace fathom::measure {
namespace {

double run_traced(BenchSteps& steps, OperationTrace& trace) {
  steps.context().observer = &trace;
  const double seconds = steps.run();
  steps.context().observer = nullptr;
  trace.end_step();
  return seconds;
}

// The best that the device gives for a row's shape: its call alone, on its own data, by
// the fastest of all algorithms. Nothing else runs between, so the device is as hot as
// it gets.
double best_alone(Context& context, const OperationRow& row) {
  const double budget = context.device.type == DeviceType::cpu ? 0.02 : 0.25;
  double best = std::numeric_limits<double>::infinity();
  context.outputs = Outputs::discarded;
  const ArenaScope scope(context.workspace);  // nothing is to be written over FP8 operands
  context.workspace.take(DType::u8, {static_cast<std::int64_t>(row.held_workspace)});
  for (const AlgorithmSearch search : {AlgorithmSearch::exhaustive, AlgorithmSearch::usual}) {
    context.search = search;
    best = std::min(best, sustained_seconds(context, budget, [&] { row.call(context); }));
  }
  return best;
}

}  // namespace

std::size_t step_bytes(const StepShape& shape) {
  const OneRank rank(shape.model);
  return Learner::bytes(learner_options(shape, rank.groups)).device_total() +
         BenchBatches::bytes(shape) + device_reserve;
}

StepTimes measure_steps(const StepShape& shape, const Effort& effort) {
  BenchSteps steps(shape);
  StepTimes times;
  steps.heat(effort.heat_seconds);
  if (effort.operations) {
    OperationTrace warm_up(shape.device, shape.model);
    run_traced(steps, warm_up);
  }
  OperationTrace trace(shape.device, shape.model);
  for (int i = 0; i < effort.steps; ++i) {
    times.steps.push_back(steps.run());
    if (shape.pairs) {
      times.unpaired.push_back(steps.run_unpaired());
      times.forwards.push_back(steps.evaluate());
    }
    if (effort.operations) times.traced.push_back(run_traced(steps, trace));
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

}  // namespace fathom::measure

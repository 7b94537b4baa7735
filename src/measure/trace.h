// The operations of real training steps, timed where they run: with the caches as
// their neighbours leave them and the clock that the step's heat allows.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/time_mark.h"
#include "measure/cost.h"

namespace fathom::measure {

// The calls of one operation on one shape; of optimizer passes and the like, on all.
struct OperationRow {
  std::string name, shape;
  Bound bound = Bound::memory;
  std::int64_t count = 0;              // calls a step
  double seconds = 0;                  // of one call; mean
  double flops = 0, bytes = 0;         // of one call; mean
  double ceiling_seconds = 0;          // of one call at the ceiling; the caller sets it
  std::function<void(Context&)> call;  // one of them, to be run again
  std::size_t held_workspace = 0;      // bytes of the workspace in which its operands lie
  double total() const { return seconds * static_cast<double>(count); }
};

// Observes steps of `model` in one context. Each operation stands between two events;
// that costs a GPU about a microsecond a call.
class OperationTrace : public OperationObserver {
 public:
  OperationTrace(Device device, const ModelConfig& model) : device_(device), model_(model) {}

  void observe(Context& context, const Operation& operation) override;
  // Waits for what was observed since the last call: one step.
  void end_step();

  // In the order of their first call.
  std::vector<OperationRow> rows() const;
  // A step's time between one operation's end and the next one's begin; mean.
  double gaps() const { return gaps_ / static_cast<double>(steps_); }

 private:
  struct Call {
    std::size_t row;
    TimeMark begin, end;
  };
  std::size_t row_of(const OperationCost& cost);

  Device device_;
  ModelConfig model_;
  std::vector<Call> calls_;  // those of a step; the events are used again by the next
  std::size_t used_ = 0;
  std::map<std::string, std::size_t> row_by_name_;
  std::vector<OperationRow> rows_;  // sums over all steps
  std::int64_t steps_ = 0;
  double gaps_ = 0;
};

}  // namespace fathom::measure

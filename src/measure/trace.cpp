#include "measure/trace.h"

#include "core/context.h"

namespace fathom::measure {

std::size_t OperationTrace::row_of(const OperationCost& cost) {
  const auto [found, is_new] = row_by_name_.try_emplace(cost.name, rows_.size());
  if (is_new) {
    OperationRow row;
    row.name = cost.name;
    row.shape = cost.shape;
    row.bound = cost.bound;
    rows_.push_back(std::move(row));
  } else if (rows_[found->second].shape != cost.shape) {
    rows_[found->second].shape = "various";
  }
  return found->second;
}

void OperationTrace::observe(Context& context, const Operation& operation) {
  const OperationCost cost = cost_of(operation, model_);
  const std::size_t index = row_of(cost);
  OperationRow& row = rows_[index];
  row.call = operation.run;
  row.held_workspace = context.workspace.mark();
  row.flops += cost.flops;
  row.bytes += cost.bytes;
  ++row.count;
  if (used_ == calls_.size()) calls_.push_back({0, TimeMark(device_), TimeMark(device_)});
  Call& call = calls_[used_++];
  call.row = index;
  call.begin.record(context.stream);
  operation.run(context);
  call.end.record(context.stream);
}

void OperationTrace::end_step() {
  for (std::size_t i = 0; i < used_; ++i) {
    rows_[calls_[i].row].seconds += calls_[i].end.seconds_since(calls_[i].begin);
    if (i > 0) gaps_ += calls_[i].begin.seconds_since(calls_[i - 1].end);
  }
  used_ = 0;
  ++steps_;
}

std::vector<OperationRow> OperationTrace::rows() const {
  std::vector<OperationRow> rows = rows_;
  for (OperationRow& row : rows) {
    const auto calls = static_cast<double>(row.count);
    row.seconds /= calls;
    row.flops /= calls;
    row.bytes /= calls;
    row.count /= steps_;
  }
  return rows;
}

}  // namespace fathom::measure

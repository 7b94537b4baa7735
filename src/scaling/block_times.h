// The times of single blocks, embedding and head, for a first estimate of a layout's step: the
// search looks closer at those that may be among the best.
#pragma once

#include <map>
#include <tuple>

#include "scaling/layout_plan.h"

namespace fathom::scaling {

// Seconds of a micro-batch's forward and backward.
struct BlockTimes {
  double block = 0, embedding = 0, head = 0;
};

class BlockEstimates {
 public:
  BlockEstimates(const PlannedRun& run, const Cluster& cluster, const OperationTime& time);

  // Seconds of a step, without what of ZeRO-1's exchanges is not hidden: nearly a lower bound.
  // Throws an input Error for a layout that is impossible.
  double step_seconds(const LayoutOptions& options);

 private:
  using Key = std::tuple<std::int64_t, bool, std::int64_t, std::int64_t, Recompute>;
  const BlockTimes& times_of(const LayoutOptions& options);
  double update_seconds(const LayoutOptions& options) const;

  const PlannedRun& run_;
  const Cluster& cluster_;
  const OperationTime& time_;
  std::map<Key, BlockTimes> times_;
};

}  // namespace fathom::scaling

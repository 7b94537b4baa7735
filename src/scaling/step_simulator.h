// A training step on paper: the stages of one replica go through the actions that schedule() gives
// them, which are those that the trainer performs, each with the times of its recording
// (scaling/rank_step.h), and wait for each other's messages.
#pragma once

#include <memory>
#include <vector>

#include "core/trace.h"
#include "scaling/cluster.h"
#include "scaling/rank_step.h"
#include "train/plan.h"

namespace fathom::scaling {

enum class Picture : std::uint8_t { none, actions, everything };

struct StepTime {
  double seconds = 0;
  // Shares of it in which a rank, in the mean over the stages, ...
  double bubble = 0;   // ... had nothing to do between its step's forwards and backwards: of their
                       //     time, as `train --trace` counts it
  double exposed = 0;  // ... stood still for exchanges
  double waiting = 0;  // ... computed nothing: all of these
  double update = 0;   // ... updated weights
  std::vector<std::vector<Trace::Span>> spans;  // of each stage, when a picture was asked for
};

// The recordings of a layout's stages, of which alike ones are made once.
class StageSteps {
 public:
  StageSteps(const TrainPlan& plan, const Cluster& cluster, const OperationTime& time);
  explicit StageSteps(const std::vector<RankStep>& steps);
  const RankStep& of(int stage) const { return *steps_[static_cast<std::size_t>(stage)]; }
  int size() const { return static_cast<int>(steps_.size()); }

 private:
  std::vector<std::shared_ptr<const RankStep>> steps_;
};

StepTime simulate_step(const TrainPlan& plan, const StageSteps& stages, const Cluster& cluster,
                       Picture picture = Picture::none);

}  // namespace fathom::scaling

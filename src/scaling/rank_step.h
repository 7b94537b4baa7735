// What a rank of a planned layout does in a training step, with the time of each thing: a recording
// of its own code on the meta device. The stages' forward and backward, the boundaries' exchanges,
// GradientSync and the optimizer are those that train; nothing is computed and nothing is sent.
#pragma once

#include <cstdint>
#include <vector>

#include "scaling/cluster.h"
#include "scaling/operation_time.h"
#include "train/plan.h"

namespace fathom::scaling {

// One thing that the rank's stream of operations comes to.
struct StepEvent {
  enum class Kind : std::uint8_t {
    compute,   // operations one after another
    exchange,  // a collective that the computing stands still for
    submit,    // work `ticket` for the queue beside the computing, which takes `seconds` there
    wait,      // until the queue has done `ticket`
  };
  Kind kind = Kind::compute;
  int queue = 0;
  std::int64_t ticket = 0;
  double seconds = 0;
  double products = 0;     // of compute: seconds of it that are matrix products
  Link link = Link::node;  // of exchange and submit
  double contention = 0;   // of submit: share of its speed that computing loses meanwhile
};
using StepEvents = std::vector<StepEvent>;

// One of the parts of the model that the rank's stage holds.
struct PartStep {
  // A step's first forward waits for weights that are still being gathered; its last backward gives
  // gradients away to be summed.
  StepEvents first_forward, forward, backward, last_backward;
  std::int64_t layers = 0;
};

struct RankStep {
  StepEvents gather;  // submits the gathering of weights that the update before has changed
  std::vector<PartStep> parts;
  StepEvents finish;  // the rest of the gradients' sums, their norm over all ranks
  StepEvents update;
  std::size_t message_bytes = 0;  // the residual stream of a micro-batch; 0 on one stage
  double send_seconds = 0;        // that the computing takes to hand a message over
};

// Of stage `stage`, first replica. `plan` is of as many ranks as the cluster has.
RankStep record_step(const TrainPlan& plan, int stage, const Cluster& cluster,
                     const OperationTime& time);

}  // namespace fathom::scaling

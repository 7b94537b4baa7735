#include "train/warm_up.h"

namespace fathom {

// The first micro-batch of a step begins its gradients, all others add to them: two
// show a device all that a step has.
void warm_up(Learner& learner, Loader& loader, const Objective& objective,
             std::vector<DeviceBatch>& batches) {
  std::vector<MicroBatch> micro_batches;
  for (DeviceBatch& memory : batches) {
    if (micro_batches.size() == 2) break;
    Batch batch = loader.next();
    if (objective.sets_weights()) batch.loss_weights.assign(batch.inputs.size(), 1.0f);
    micro_batches.push_back(memory.upload(learner.context(), batch));
  }
  learner.warm_up(micro_batches);
}

}  // namespace fathom

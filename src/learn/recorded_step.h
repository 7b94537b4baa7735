// RecordedStep: the work that a device does in a training step, launched as a whole once it
// repeats. A step of a small model is hundreds of kernels of a few microseconds, which the host
// launches no faster than the device runs them, and runs side by side on one GPU wait for each
// other's launches; a recorded one costs two launches.
#pragma once

#include <functional>
#include <span>
#include <variant>
#include <vector>

#include "core/repeated_work.h"
#include "model/stage.h"

namespace fathom {

// On where launching a layer's kernels takes the host about as long as running them takes the
// device, and the recording is small. `micro_tokens`: most tokens of a micro-batch;
// `micro_batches`: of a step.
Recording step_recording(Device device, const ModelConfig& model, std::int64_t micro_tokens,
                         std::int64_t micro_batches);

class RecordedStep {
 public:
  explicit RecordedStep(Recording recording);

  // Queues the gradients of a step. Besides the micro-batches' tensors and segments only `scale`,
  // the gradient's, may differ between two calls of `work`.
  void gradients(Context& context, std::span<const MicroBatch> micro_batches, float scale,
                 const std::function<void()>& work);
  // Queues an update, which is the same in every step.
  void update(Context& context, const std::function<void()>& work);

  // How many steps' gradients and updates were launched as a whole.
  std::int64_t gradient_launches() const { return gradients_.launches(); }
  std::int64_t update_launches() const { return update_.launches(); }

 private:
  struct Inputs {
    Tensor ids, targets, loss_weights, positions;
    ops::Segments segments;
    bool operator==(const Inputs&) const = default;
  };
  struct Gradients {
    std::vector<Inputs> micro_batches;
    float scale = 0;
    bool operator==(const Gradients&) const = default;
  };

  RepeatedWork<Gradients> gradients_;
  RepeatedWork<std::monostate> update_;
};

}  // namespace fathom

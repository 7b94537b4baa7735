#include "learn/recorded_step.h"

namespace fathom {
namespace {

// The batches of a step lie in two places in turn (learn/device_batch.h). Of steps whose segments
// differ, the last few are remembered in vain.
constexpr std::size_t most_steps = 4;

// 45 kernels, which the host launches in about 10 microseconds each while a GPU does some 4e14
// FLOPs a second.
constexpr double most_layer_flops = 2e11;
// A recorded kernel takes about a kilobyte on the device.
constexpr std::int64_t most_layers = 256;

}  // namespace

Recording step_recording(Device device, const StepSize& size) {
  const bool small = size.layer_flops <= most_layer_flops && size.layers <= most_layers;
  return device.type == DeviceType::cuda && small ? Recording::on : Recording::off;
}

RecordedStep::RecordedStep(Recording recording)
    : gradients_(most_steps, recording), update_(1, recording) {}

void RecordedStep::gradients(Context& context, std::span<const MicroBatch> micro_batches,
                             float scale, const std::function<void()>& work) {
  Gradients key{{}, scale};
  for (const MicroBatch& batch : micro_batches) {
    key.micro_batches.push_back({batch.ids, batch.targets, batch.loss_weights,
                                 batch.tokens.positions, batch.tokens.segments});
  }
  gradients_.run(context, key, work);
}

void RecordedStep::update(Context& context, const std::function<void()>& work) {
  update_.run(context, {}, work);
}

}  // namespace fathom

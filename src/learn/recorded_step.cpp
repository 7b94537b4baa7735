#include "learn/recorded_step.h"

namespace fathom {
namespace {

// The batches of a step lie in two places in turn (learn/device_batch.h). Of steps whose segments
// differ, the last few are remembered in vain.
constexpr std::size_t most_steps = 4;

// Of forward and backward of one micro-batch in one layer, with its share of the head's: some 45
// kernels, which the host launches in about 10 microseconds each while a GPU does some 4e14 FLOPs a
// second.
constexpr double most_layer_flops = 2e11;
// A step's layers, those of each micro-batch counted: a recorded kernel takes about a kilobyte.
constexpr std::int64_t most_layers = 256;

}  // namespace

Recording step_recording(Device device, const ModelConfig& model, std::int64_t micro_tokens,
                         std::int64_t micro_batches) {
  if (device.type != DeviceType::cuda) return Recording::off;
  const double layer_flops = 6 * static_cast<double>(count_matmul_parameters(model)) *
                             static_cast<double>(micro_tokens) /
                             static_cast<double>(model.num_layers);
  const bool small =
      layer_flops <= most_layer_flops && model.num_layers * micro_batches <= most_layers;
  return small ? Recording::on : Recording::off;
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

#include "train/learner.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"

namespace fathom {
namespace {

std::vector<CheckpointTensor> list_tensors(const std::vector<OptimizerSlice>& slices,
                                           bool separate_master) {
  std::vector<CheckpointTensor> tensors;
  for (const OptimizerSlice& s : slices) {
    const auto add = [&](StateKind kind, Tensor values) {
      tensors.push_back({kind, s.name, s.global_shape, s.offset, values});
    };
    add(StateKind::weight, s.weight);
    if (separate_master) add(StateKind::master, s.master);
    add(StateKind::first_moment, s.m);
    add(StateKind::second_moment, s.v);
  }
  return tensors;
}

std::size_t result_bytes(const LearnerOptions& options) {
  return static_cast<std::size_t>(options.tokens_per_step + 1) * sizeof(float);
}

}  // namespace

std::size_t Learner::arena_bytes(const LearnerOptions& o) {
  const StageRange all = whole_model(o.model);
  return std::max(Stage::activation_bytes(o.model, all, o.stage, o.dtype, o.micro_tokens),
                  Stage::forward_bytes(o.model, all, o.stage, o.dtype, o.micro_tokens));
}

Learner::Bytes Learner::bytes(const LearnerOptions& o) {
  ParameterStore parameters(parameter_table(o.model), o.dtype, Gradients::f32, meta_device);
  Optimizer optimizer(parameters, o.optimizer, meta_device);
  const Optimizer::Bytes state = Optimizer::bytes(parameter_table(o.model), o.dtype);
  Bytes b;
  b.weights = parameters.weight_bytes();
  b.gradients = parameters.gradient_bytes();
  b.master = state.master;
  b.moments = state.moments;
  b.activations = arena_bytes(o);
  b.rope_table = static_cast<std::size_t>(o.model.max_position * o.model.head_dim) * sizeof(float);
  b.workspace = Context::default_workspace;
  b.losses = result_bytes(o);
  b.checkpoint =
      CheckpointWriter::host_bytes(list_tensors(optimizer.slices(), optimizer.separate_master()));
  return b;
}

Learner::Learner(const LearnerOptions& o)
    : options_(o),
      context_(o.device),
      parameters_(parameter_table(o.model), o.dtype, Gradients::f32, o.device),
      stage_(o.model, whole_model(o.model), parameters_, o.stage, o.device),
      activations_(Arena(o.device, arena_bytes(o))),
      optimizer_(parameters_, o.optimizer, o.device),
      results_(o.device, result_bytes(o)) {
  if (o.device.type != DeviceType::cpu) {
    host_results_.resize(static_cast<std::size_t>(o.tokens_per_step + 1));
  }
}

void Learner::initialize_weights(std::uint64_t seed) {
  for (Parameter& parameter : parameters_.all()) {
    initialize(context_, parameter.spec, options_.model.init_std, seed, parameter.weight);
  }
  optimizer_.reset_master(context_);
}

std::span<const float> Learner::read_back(std::int64_t count) {
  const auto size = static_cast<std::size_t>(count);
  const auto* values = static_cast<const float*>(results_.data());
  if (options_.device.type != DeviceType::cpu) {
    copy_bytes(host_results_.data(), cpu_device, values, options_.device, size * sizeof(float),
               context_.stream);
    values = host_results_.data();
  }
  synchronize(options_.device, context_.stream);
  return {values, size};
}

Learner::Result Learner::compute_gradients(std::span<const MicroBatch> micro_batches,
                                           std::int64_t targets) {
  const std::int64_t tokens = std::accumulate(
      micro_batches.begin(), micro_batches.end(), std::int64_t{0},
      [](std::int64_t sum, const MicroBatch& batch) { return sum + batch.ids.elements(); });
  require(tokens <= options_.tokens_per_step, "a step of {} tokens, planned for {}", tokens,
          options_.tokens_per_step);
  const Tensor results = results_.tensor(DType::f32, {tokens + 1});
  const float grad_scale = targets > 0 ? 1.0f / static_cast<float>(targets) : 0.0f;
  parameters_.zero_gradients(context_);
  std::int64_t at = 0;
  for (const MicroBatch& batch : micro_batches) {
    const Tensor losses = results.slice(at, batch.ids.elements());
    stage_.forward(context_, batch, {}, activations_, {}, grad_scale, losses);
    stage_.backward(context_, batch, activations_, {}, {});
    at += batch.ids.elements();
  }
  optimizer_.measure_gradients(context_, results.slice(tokens, 1));

  const std::span<const float> values = read_back(tokens + 1);
  const double sum = std::accumulate(values.begin(), values.end() - 1, 0.0);
  return {targets > 0 ? sum / static_cast<double>(targets) : 0.0, double{values.back()}};
}

std::span<const float> Learner::evaluate(const MicroBatch& batch) {
  const std::int64_t tokens = batch.ids.elements();
  require(tokens <= options_.micro_tokens, "an evaluation of {} tokens, planned for {}", tokens,
          options_.micro_tokens);
  stage_.evaluate(context_, batch, activations_.arena, results_.tensor(DType::f32, {tokens}));
  return read_back(tokens);
}

std::vector<CheckpointTensor> Learner::checkpoint_tensors() const {
  return list_tensors(optimizer_.slices(), optimizer_.separate_master());
}

void Learner::load(const Checkpoint& checkpoint, std::int64_t updates) {
  const StateKind best = checkpoint.has(StateKind::master) ? StateKind::master : StateKind::weight;
  for (const OptimizerSlice& s : optimizer_.slices()) {
    const bool exact = optimizer_.separate_master() && best == StateKind::master;
    const auto load = [&](StateKind kind, Tensor into) {
      checkpoint.load_slice(context_, kind, s.name, s.offset, into);
    };
    load(exact ? StateKind::weight : best, s.weight);
    if (optimizer_.separate_master()) load(best, s.master);
    load(StateKind::first_moment, s.m);
    load(StateKind::second_moment, s.v);
  }
  optimizer_.set_updates(updates);
  synchronize(options_.device, context_.stream);
}

}  // namespace fathom

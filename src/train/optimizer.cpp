#include "train/optimizer.h"

#include <cmath>

#include "core/error.h"
#include "ops/elementwise.h"

namespace fathom {
namespace {

// As in ParameterStore, for aligned vector loads.
constexpr std::size_t alignment = 256;

std::size_t f32_bytes(const Shape& shape) {
  const std::size_t bytes = static_cast<std::size_t>(shape.elements()) * sizeof(float);
  return (bytes + alignment - 1) / alignment * alignment;
}

void check_beta(const char* key, double value) {
  if (!(value >= 0 && value < 1)) {
    fail_input("optimizer.{} is {}: use a value from 0 up to but not including 1", key, value);
  }
}

}  // namespace

void check(const OptimizerConfig& c) {
  check_beta("beta1", c.beta1);
  check_beta("beta2", c.beta2);
  if (!(c.epsilon > 0)) fail_input("optimizer.epsilon is {}: use 1e-8", c.epsilon);
  if (!(c.weight_decay >= 0)) {
    fail_input("optimizer.weight_decay is {}: use 0 or more", c.weight_decay);
  }
  if (!(c.clip >= 0)) fail_input("optimizer.clip is {}: use 1.0, or 0 for none", c.clip);
}

Optimizer::Bytes Optimizer::bytes(const std::vector<ParameterSpec>& specs, DType weights) {
  std::size_t one = 0;
  for (const ParameterSpec& spec : specs) one += f32_bytes(spec.shape);
  return {weights == DType::f32 ? 0 : one, 2 * one};
}

Optimizer::Optimizer(ParameterStore& parameters, const OptimizerConfig& config, Device device)
    : config_(config), scalars_(device, 2 * alignment) {
  std::vector<ParameterSpec> specs;
  for (const Parameter& parameter : parameters.all()) specs.push_back(parameter.spec);
  const Bytes needed = bytes(specs, parameters.dtype());
  if (needed.master > 0) master_ = Buffer(device, needed.master);
  moments_ = Buffer(device, needed.moments);
  sum_of_squares_ = scalars_.tensor(DType::f32, {1});
  scale_ = scalars_.tensor(DType::f32, {1}, alignment);
  std::size_t at = 0;
  for (Parameter& parameter : parameters.all()) {
    const Shape shape = parameter.weight.shape;
    OptimizerSlice slice;
    slice.name = parameter.spec.name;
    slice.global_shape = parameter.spec.shape;
    slice.offset.assign(static_cast<std::size_t>(shape.rank()), 0);
    slice.weight = parameter.weight;
    slice.gradient = parameter.gradient;
    slice.master = needed.master > 0 ? master_.tensor(DType::f32, shape, at) : slice.weight;
    slice.m = moments_.tensor(DType::f32, shape, at);
    slice.v = moments_.tensor(DType::f32, shape, needed.moments / 2 + at);
    slice.weight_decay = parameter.spec.weight_decay;
    at += f32_bytes(parameter.spec.shape);
    slices_.push_back(std::move(slice));
  }
}

void Optimizer::reset_master(Context& context) {
  if (!separate_master()) return;
  for (const OptimizerSlice& slice : slices_) ops::convert(context, slice.weight, slice.master);
}

void Optimizer::measure_gradients(Context& context, Tensor norm) {
  ops::fill(context, sum_of_squares_, 0);
  for (const OptimizerSlice& slice : slices_) {
    ops::add_sum_of_squares(context, slice.gradient, sum_of_squares_);
  }
  ops::clip_scale(context, sum_of_squares_, static_cast<float>(config_.clip), norm, scale_);
}

void Optimizer::update(Context& context, double learning_rate) {
  ops::AdamWStep step;
  step.lr = static_cast<float>(learning_rate);
  step.beta1 = static_cast<float>(config_.beta1);
  step.beta2 = static_cast<float>(config_.beta2);
  step.epsilon = static_cast<float>(config_.epsilon);
  step.step = ++updates_;
  for (const OptimizerSlice& slice : slices_) {
    step.weight_decay = slice.weight_decay ? static_cast<float>(config_.weight_decay) : 0.0f;
    const Shape flat{slice.weight.elements()};
    ops::adamw(context, slice.gradient.view(flat), scale_, step, slice.master.view(flat),
               slice.m.view(flat), slice.v.view(flat), slice.weight.view(flat));
  }
}

}  // namespace fathom

#include "learn/optimizer.h"

#include <cmath>
#include <limits>

#include "comm/echo_group.h"
#include "core/error.h"
#include "ops/elementwise.h"

namespace fathom {
namespace {

// As in ParameterStore, for aligned vector loads.
constexpr std::size_t alignment = 128;

// A GPU updates so many elements in 30 microseconds, of which starting another kernel is a
// notable part.
constexpr std::int64_t most_small_elements = std::int64_t{1} << 22;

std::size_t padded_elements(const Shape& shape) {
  const auto elements = static_cast<std::size_t>(shape.elements());
  return (elements + alignment - 1) / alignment * alignment;
}

void check_beta(const char* key, double value) {
  if (!(value >= 0 && value < 1)) {
    fail_input("optimizer.{} is {}: use a value from 0 up to but not including 1", key, value);
  }
}

struct FlatRange {
  std::int64_t first = 0, count = 0;  // elements of the flat vectors
};

// Where the primary slices lie. Between neighbours there are at most the zeros that align
// the second, and one pass over both is faster than two.
std::vector<FlatRange> counted_ranges(const std::vector<OwnedSlice>& owned) {
  std::vector<FlatRange> ranges;
  for (const OwnedSlice& part : owned) {
    if (!part.primary) continue;
    const std::int64_t end = part.first + part.shape.elements();
    const std::int64_t gap =
        ranges.empty() ? -1 : part.first - (ranges.back().first + ranges.back().count);
    if (gap >= 0 && gap < static_cast<std::int64_t>(alignment)) {
      ranges.back().count = end - ranges.back().first;
    } else {
      ranges.push_back({part.first, part.shape.elements()});
    }
  }
  return ranges;
}

}  // namespace

void check(const OptimizerConfig& c) {
  check_beta("beta1", c.beta1);
  check_beta("beta2", c.beta2);
  // As AdamW computes with them. An epsilon that rounds to 0 would divide 0 by 0.
  const auto epsilon = static_cast<float>(c.epsilon), clip = static_cast<float>(c.clip),
             weight_decay = static_cast<float>(c.weight_decay);
  if (!(epsilon > 0) || std::isinf(epsilon)) {
    fail_input("optimizer.epsilon is {}: use 1e-8", c.epsilon);
  }
  if (!(c.weight_decay >= 0) || std::isinf(weight_decay)) {
    fail_input("optimizer.weight_decay is {}: use 0 or more, such as 0.1", c.weight_decay);
  }
  if (!(c.clip >= 0) || std::isinf(clip)) {
    fail_input("optimizer.clip is {}: use 1.0, or 0 for none", c.clip);
  }
}

Optimizer::Optimizer(ParameterStore& parameters, const std::vector<OwnedSlice>& owned,
                     const OptimizerConfig& config, Device device)
    : config_(config), scalars_(device, 2 * alignment) {
  const bool split = parameters.dtype() != DType::f32;
  std::size_t elements = 0;
  for (const OwnedSlice& part : owned) elements += padded_elements(part.shape);
  if (split) remainders_ = Buffer(device, elements * size_of(DType::u16));
  moments_ = Buffer(device, 2 * elements * sizeof(float));
  sum_of_squares_ = scalars_.tensor(DType::f32, {1});
  step_ = scalars_.tensor(DType::f32, {ops::adamw_scalars}, alignment);
  const Tensor weights = parameters.flat_weights(), gradients = parameters.flat_gradients();
  std::size_t at = 0;
  for (const OwnedSlice& part : owned) {
    const ParameterSpec& spec = parameters.all().at(part.parameter).spec;
    const std::int64_t count = part.shape.elements();
    OptimizerSlice slice;
    slice.name = spec.name;
    slice.global_shape = spec.shape;
    slice.offset = part.offset;
    slice.weight = weights.slice(part.first, count).view(part.shape);
    slice.gradient = gradients.slice(part.first, count).view(part.shape);
    if (split) {
      slice.remainder = remainders_.tensor(DType::u16, part.shape, at * size_of(DType::u16));
    }
    slice.m = moments_.tensor(DType::f32, part.shape, at * sizeof(float));
    slice.v = moments_.tensor(DType::f32, part.shape, (elements + at) * sizeof(float));
    slice.weight_decay = spec.weight_decay;
    slice.primary = part.primary;
    at += padded_elements(part.shape);
    slices_.push_back(std::move(slice));
  }
  for (const FlatRange& range : counted_ranges(owned)) {
    counted_.push_back(gradients.slice(range.first, range.count));
  }
  gather_updates(device);
}

void Optimizer::gather_updates(Device device) {
  for (const OptimizerSlice& slice : slices_) {
    const Shape flat{slice.weight.elements()};
    const ops::AdamWSlice update{slice.gradient.view(flat),
                                 slice.m.view(flat),
                                 slice.v.view(flat),
                                 slice.weight.view(flat),
                                 slice.remainder ? slice.remainder.view(flat) : Tensor{},
                                 constants(slice.weight_decay).weight_decay};
    (flat.elements() <= most_small_elements ? small_ : large_).push_back(update);
  }
  const std::int64_t bytes = ops::adamw_table_bytes(small_);
  table_memory_ = Buffer(device, static_cast<std::size_t>(bytes));
  table_ = table_memory_.tensor(DType::u8, {bytes});
  Context context(device, 0);
  ops::write_adamw_table(context, small_, table_);
}

void Optimizer::measure_gradients(Context& context, Tensor norm, Communicator& world) {
  ops::fill(context, sum_of_squares_, 0);
  for (const Tensor& gradients : counted_) {
    ops::add_sum_of_squares(context, gradients, sum_of_squares_);
  }
  world.all_reduce(context, sum_of_squares_);
  ops::clip_scale(context, sum_of_squares_, static_cast<float>(config_.clip), norm, scale());
}

void Optimizer::warm_up(Context& context, Tensor norm) {
  EchoGroup nobody(0, 1);
  measure_gradients(context, norm, nobody);
  ops::fill(context, scale(), std::numeric_limits<float>::quiet_NaN());
  set_step(context, 0, 1);
  update(context);
}

ops::AdamWConstants Optimizer::constants(bool weight_decay) const {
  return {.beta1 = static_cast<float>(config_.beta1),
          .beta2 = static_cast<float>(config_.beta2),
          .epsilon = static_cast<float>(config_.epsilon),
          .weight_decay = weight_decay ? static_cast<float>(config_.weight_decay) : 0.0f};
}

void Optimizer::set_step(Context& context, double learning_rate, std::int64_t step) {
  ops::set_adamw_step(context, constants(true), {static_cast<float>(learning_rate), step}, step_);
}

void Optimizer::update(Context& context) {
  if (!small_.empty()) ops::adamw(context, small_, table_, step_, constants(true));
  for (const ops::AdamWSlice& s : large_) {
    ops::AdamWConstants own = constants(true);
    own.weight_decay = s.weight_decay;
    ops::adamw(context, s.grad, step_, own, s.m, s.v, s.weight, s.remainder);
  }
}

}  // namespace fathom

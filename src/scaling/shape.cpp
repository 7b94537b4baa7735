#include "scaling/shape.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "scaling/flops.h"

namespace fathom::scaling {
namespace {

struct Proportion {
  double layers, width;
  double scale() const { return std::log(layers * width * width); }
  double width_per_layer() const { return std::log(width / layers); }
};

constexpr std::array<Proportion, 6> report_models{
    {{8, 512}, {12, 768}, {24, 1024}, {24, 2048}, {30, 4096}, {95, 8192}}};

constexpr std::int64_t max_layers = 512, min_width = 64, max_width = 65536;

// Logarithm of the width per layer that the report's models suggest for this scale. Smaller models
// are as deep as the smallest.
double suggested_width_per_layer(double scale) {
  const double least_layers = std::log(report_models.front().layers);
  if (scale <= report_models.front().scale()) return (scale - 3 * least_layers) / 2;
  for (std::size_t i = 1; i < report_models.size(); ++i) {
    const Proportion &below = report_models[i - 1], &above = report_models[i];
    if (scale > above.scale()) continue;
    const double share = (scale - below.scale()) / (above.scale() - below.scale());
    return std::lerp(below.width_per_layer(), above.width_per_layer(), share);
  }
  return report_models.back().width_per_layer();
}

// Widths go in steps that keep the number of heads divisible by what ranks split them over: by 2
// from 2048 on, by 4 from 4096 on, by 8 from 8192 on.
std::int64_t width_step(std::int64_t width) {
  if (width < 512) return 32;
  if (width < 2048) return 128;
  if (width < 4096) return 256;
  return width < 8192 ? 512 : 1024;
}

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Of narrow models the size nearest to 64, in ratio, that divides the width, from what GPUs'
// attention kernels take.
std::int64_t head_dim_of(std::int64_t width) {
  if (width >= 2048) return 128;
  std::int64_t best = 64;
  double best_ratio = std::numeric_limits<double>::infinity();
  for (std::int64_t size = 32; size <= 128; size += 8) {
    const double ratio = std::abs(std::log(static_cast<double>(size) / 64));
    if (width % size != 0 || ratio >= best_ratio) continue;
    best_ratio = ratio;
    best = size;
  }
  return best;
}

std::int64_t mlp_step(std::int64_t width) {
  if (width < 512) return 16;
  return width < 4096 ? 64 : 256;
}

ModelConfig shape_of(std::int64_t layers, std::int64_t width, std::int64_t sequence_length) {
  ModelConfig model;
  model.num_layers = layers;
  model.hidden_size = width;
  model.head_dim = head_dim_of(width);
  model.num_heads = width / model.head_dim;
  model.num_kv_heads = width < 8192 ? model.num_heads : 8;
  model.intermediate_size = round_up((8 * width + 2) / 3, mlp_step(width));
  model.max_position = sequence_length;
  return model;
}

// How far a shape is from M and from the report's proportions. A tenth of M counts as much as
// half of the width per layer: a budget is met by the tokens, but a shape of another scale is not
// the optimum.
double distance(const ModelConfig& shape, double wanted_flops, std::int64_t sequence_length) {
  const Proportion own{static_cast<double>(shape.num_layers),
                       static_cast<double>(shape.hidden_size)};
  const double flops = std::log(model_flops(shape, sequence_length) / wanted_flops);
  const double proportion = own.width_per_layer() - suggested_width_per_layer(own.scale());
  return 7 * std::abs(flops) + std::abs(proportion);
}

// How many layers of this width come nearest to M.
std::int64_t layers_for(double wanted, std::int64_t width, std::int64_t sequence_length) {
  const auto flops_of = [&](std::int64_t layers, std::int64_t d) {
    return model_flops(shape_of(layers, d, sequence_length), sequence_length);
  };
  const auto [least_layers, least_width] = report_models.front();
  const auto layers = static_cast<std::int64_t>(least_layers);
  const bool narrow = wanted >= flops_of(layers, min_width) &&
                      wanted <= flops_of(layers, static_cast<std::int64_t>(least_width));
  if (narrow) return layers;
  return std::max<std::int64_t>(
      1, std::llround(std::min<double>(wanted / flops_of(1, width), max_layers + 1)));
}

}  // namespace

ModelConfig shape_for(double wanted, std::int64_t sequence_length) {
  const double smallest = smallest_model_flops(sequence_length);
  const double largest =
      model_flops(shape_of(max_layers, max_width, sequence_length), sequence_length);
  if (!(wanted >= smallest && wanted <= largest)) {
    fail_input(
        "a model of {:.3g} non-embedding FLOPs a token at sequence length {} is out of reach: "
        "{} × {} takes {:.3g}, {} × {} {:.3g}; use another budget or sequence length",
        wanted, sequence_length, 1, min_width, smallest, max_layers, max_width, largest);
  }
  ModelConfig best;
  double best_distance = std::numeric_limits<double>::infinity();
  for (std::int64_t width = min_width; width <= max_width; width += width_step(width)) {
    const std::int64_t layers = layers_for(wanted, width, sequence_length);
    if (layers > max_layers) continue;
    const ModelConfig shape = shape_of(layers, width, sequence_length);
    const double far = distance(shape, wanted, sequence_length);
    if (far < best_distance) {
      best_distance = far;
      best = shape;
    }
  }
  return best;
}

double smallest_model_flops(std::int64_t sequence_length) {
  return model_flops(shape_of(1, min_width, sequence_length), sequence_length);
}

}  // namespace fathom::scaling

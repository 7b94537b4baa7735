#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "ops/cpu/math.h"
#include "ops/cpu/rows.h"
#include "ops/dispatch.h"
#include "ops/master_weight.h"

namespace fathom::ops::cpu {
namespace {

double sum_of_squares(const float* x, std::int64_t count) {
  return sum_of_ranges(count, [&](std::int64_t begin, std::int64_t end) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = begin; i < end; ++i) sum += x[i] * x[i];
    return sum;
  });
}

// The coefficients of one step.
struct AdamWFactors {
  AdamWFactors(const AdamWConstants& c, const AdamWScalars& s)
      : beta1(c.beta1),
        beta2(c.beta2),
        rest1(1 - c.beta1),
        rest2(1 - c.beta2),
        step_size(s.step_size),
        v_scale(s.v_scale),
        epsilon(c.epsilon),
        decay(s.lr * c.weight_decay) {}

  float beta1, beta2, rest1, rest2, step_size, v_scale, epsilon, decay;
};

// Updates the moments of element i, and returns its new master weight.
inline float adamw_element(const AdamWFactors& f, float gradient, float master, float& m,
                           float& v) {
  m = f.beta1 * m + f.rest1 * gradient;
  v = f.beta2 * v + f.rest2 * gradient * gradient;
  const float update = f.step_size * m / (std::sqrt(v * f.v_scale) + f.epsilon);
  return master - (update + f.decay * master);
}

void adamw_range(const AdamWFactors& f, float scale, const float* grad, float* m, float* v,
                 float* weight, std::int64_t begin, std::int64_t end) {
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) {
    weight[i] = adamw_element(f, grad[i] * scale, weight[i], m[i], v[i]);
  }
}

void adamw_range(const AdamWFactors& f, float scale, const float* grad, float* m, float* v,
                 std::uint16_t* weight, std::uint16_t* remainder, std::int64_t begin,
                 std::int64_t end) {
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) {
    const float master = std::bit_cast<float>(join_master({weight[i], remainder[i]}));
    const float updated = adamw_element(f, grad[i] * scale, master, m[i], v[i]);
    const MasterWeight parts = split_master(std::bit_cast<std::uint32_t>(updated));
    weight[i] = parts.weight;
    remainder[i] = parts.remainder;
  }
}

}  // namespace

// Chunks of one size whatever the number of threads, added up in their order.
void add_sum_of_squares(Context& context, Tensor x, Tensor out) {
  constexpr std::int64_t chunk = 8192;
  const std::int64_t n = x.elements(), chunks = (n + chunk - 1) / chunk;
  const ArenaScope scope(context.workspace);
  auto* const partial = static_cast<double*>(
      context.workspace.take(DType::u8, {chunks * std::int64_t{sizeof(double)}}).data);
  const float* data = x.as<float>();
  parallel_for(chunks, 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) {
      partial[c] = sum_of_squares(data + c * chunk, std::min(chunk, n - c * chunk));
    }
  });
  double sum = 0;
  for (std::int64_t c = 0; c < chunks; ++c) sum += partial[c];
  *out.as<float>() += static_cast<float>(sum);
}

void clip_scale(Context&, Tensor sum_of_squares, float max_norm, Tensor norm, Tensor scale) {
  const float value = std::sqrt(*sum_of_squares.as<float>());
  *norm.as<float>() = value;
  float& factor = *scale.as<float>();
  factor = max_norm > 0 ? std::min(1.0f, max_norm / (value + 1e-6f)) : 1.0f;
  if (!std::isfinite(value)) factor = std::numeric_limits<float>::quiet_NaN();
}

void set_adamw_step(Context&, const AdamWScalars& values, Tensor scalars) {
  AdamWScalars stored = values;
  stored.scale = *scalars.as<float>();
  std::memcpy(scalars.data, &stored, sizeof stored);
}

void adamw(Context&, Tensor grad, Tensor scalars, const AdamWConstants& constants, Tensor m,
           Tensor v, Tensor weight, Tensor remainder) {
  AdamWScalars step;
  std::memcpy(&step, scalars.data, sizeof step);
  const float factor = step.scale;
  if (!std::isfinite(factor)) return;
  const AdamWFactors factors(constants, step);
  parallel_for(grad.elements(), parallel_grain, [&](std::int64_t begin, std::int64_t end) {
    if (weight.dtype == DType::f32) {
      adamw_range(factors, factor, grad.as<float>(), m.as<float>(), v.as<float>(),
                  weight.as<float>(), begin, end);
    } else {
      adamw_range(factors, factor, grad.as<float>(), m.as<float>(), v.as<float>(),
                  static_cast<std::uint16_t*>(weight.data), remainder.as<std::uint16_t>(), begin,
                  end);
    }
  });
}

void adamw_slices(Context& context, std::span<const AdamWSlice> slices, Tensor, Tensor scalars,
                  const AdamWConstants& constants) {
  for (const AdamWSlice& slice : slices) {
    AdamWConstants own = constants;
    own.weight_decay = slice.weight_decay;
    cpu::adamw(context, slice.grad, scalars, own, slice.m, slice.v, slice.weight, slice.remainder);
  }
}

}  // namespace fathom::ops::cpu

// The most that the device reaches: square products and copies.
#include "measure/measure.h"

#include <algorithm>
#include <cmath>

#include "ops/elementwise.h"
#include "train/peak.h"

namespace fathom::measure {
namespace {

// By the runtime's own copy or by our kernel, whichever is faster.
double measure_copy(Context& context) {
  const std::int64_t rows = context.device.type == DeviceType::cpu ? 20 << 10 : 1 << 20;
  const Shape shape{rows, 1 << 10};
  const auto bytes = static_cast<std::size_t>(shape.elements()) * sizeof(float);
  const Buffer source(context.device, bytes), target(context.device, bytes);
  const Tensor from = source.tensor(DType::f32, shape), to = target.tensor(DType::f32, shape);
  ops::NormalFill fill;
  fill.global_columns = shape[1];
  ops::fill_normal(context, from, fill);
  const double library = sustained_seconds(context, 0.3, [&] {
    copy_bytes(to.data, to.device, from.data, from.device, bytes, context.stream);
  });
  const double kernel = sustained_seconds(context, 0.3, [&] { ops::convert(context, from, to); });
  return 2 * static_cast<double>(bytes) / std::min(library, kernel);
}

}  // namespace

double sustained_seconds(Context& context, double budget, const std::function<void()>& call) {
  constexpr int stretches = 3;
  TimeMark begin(context.device), end(context.device);
  const auto mean = [&](std::int64_t calls) {
    begin.record(context.stream);
    for (std::int64_t i = 0; i < calls; ++i) call();
    end.record(context.stream);
    return end.seconds_since(begin) / static_cast<double>(calls);
  };
  mean(1);  // warms up
  const double once = std::max(mean(1), 1e-7);
  const auto calls = std::clamp<std::int64_t>(std::llround(budget / stretches / once), 1, 20000);
  double best = mean(calls);
  for (int i = 1; i < stretches; ++i) best = std::min(best, mean(calls));
  return best;
}

double measure_copy(Device device) {
  Context context(device);
  return measure_copy(context);
}

Ceilings measure_ceilings(Device device, double heat_seconds) {
  Context context(device);
  Ceilings ceilings;
  if (heat_seconds > 0) measure_gemm_peak(context, DType::bf16, heat_seconds);
  ceilings.gemm_bf16 = measure_gemm_peak(context, DType::bf16, 0.5);
  ceilings.gemm_f32 = measure_gemm_peak(context, DType::f32, 0.5);
  ceilings.copy = measure_copy(context);
  return ceilings;
}

}  // namespace fathom::measure

#include "train/peak.h"

#include <algorithm>
#include <chrono>

#include "ops/elementwise.h"
#include "ops/matmul.h"

namespace fathom {
namespace {

Tensor random_matrix(Context& context, const Buffer& buffer, DType dtype, Shape shape,
                     std::size_t offset, std::uint64_t stream) {
  const Tensor x = buffer.tensor(dtype, shape, offset);
  ops::NormalFill fill;
  fill.stream = stream;
  fill.global_columns = shape[1];
  ops::fill_normal(context, x, fill);
  return x;
}

}  // namespace

double measure_gemm_peak(Context& context, DType dtype, double seconds) {
  using Clock = std::chrono::steady_clock;
  // Large enough to be compute-bound, small enough for several repetitions.
  const bool cpu = context.device.type == DeviceType::cpu;
  const std::int64_t n = cpu ? 1024 : 8192, repeats = cpu ? 1 : 4;
  const auto square = static_cast<std::size_t>(n * n) * size_of(dtype);
  const Buffer buffer(context.device, 3 * square);
  const Tensor x = random_matrix(context, buffer, dtype, {n, n}, 0, 1);
  const Tensor w = random_matrix(context, buffer, dtype, {n, n}, square, 2);
  const Tensor y = buffer.tensor(dtype, {n, n}, 2 * square);
  ops::linear(context, x, w, y);
  synchronize(context.device, context.stream);

  double best = 0, total = 0;
  while (total < seconds) {
    const auto start = Clock::now();
    for (std::int64_t i = 0; i < repeats; ++i) ops::linear(context, x, w, y);
    synchronize(context.device, context.stream);
    const double took = std::chrono::duration<double>(Clock::now() - start).count();
    total += took;
    const double size = static_cast<double>(n);
    best = std::max(best, 2 * size * size * size * static_cast<double>(repeats) / took);
  }
  return best;
}

}  // namespace fathom

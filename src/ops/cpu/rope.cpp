#include "ops/cpu/math.h"
#include "ops/cpu/rows.h"
#include "ops/dispatch.h"

namespace fathom::ops::cpu {
namespace {

// Rotates the pairs (head[i], head[i + half]) by the angles whose cosines and
// sines are given; `sign` −1 turns back.
template <class T>
void rotate(T* head, const float* cosine, const float* sine, float sign, std::int64_t half) {
  T* const low = head;
  T* const high = head + half;
#pragma omp simd
  for (std::int64_t i = 0; i < half; ++i) {
    const float a = load(low[i]), b = load(high[i]);
    const float s = sign * sine[i];
    store(low[i], a * cosine[i] - b * s);
    store(high[i], b * cosine[i] + a * s);
  }
}

void check_positions(const Tensor& positions, std::int64_t limit) {
  const std::int32_t* position = positions.as<std::int32_t>();
  for (std::int64_t i = 0; i < positions.elements(); ++i) {
    require(position[i] >= 0 && position[i] < limit,
            "rope: positions[{}] is {}, the table has {} positions", i, position[i], limit);
  }
}

}  // namespace

void rope(Context&, Tensor x, Tensor positions, Tensor table, RopeDirection direction) {
  check_positions(positions, table.shape[0]);
  const std::int64_t head_dim = table.cols(), half = head_dim / 2;
  const float sign = direction == RopeDirection::forward ? 1.0f : -1.0f;
  dispatch_floating(x.dtype, [&]<class T>(T) {
    parallel_for(x.rows(), row_grain(x.cols()), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const float* cosine = row_of<float>(table, positions.as<std::int32_t>()[row]);
        T* const heads = row_of<T>(x, row);
        for (std::int64_t c = 0; c < x.cols(); c += head_dim) {
          rotate(heads + c, cosine, cosine + half, sign, half);
        }
      }
    });
  });
}

}  // namespace fathom::ops::cpu

#include "ops/cpu/math.h"
#include "ops/cpu/rows.h"
#include "ops/dispatch.h"

namespace fathom::ops::cpu {
namespace {

template <class T>
void forward_row(const T* gate, const T* up, T* y, std::int64_t f) {
#pragma omp simd
  for (std::int64_t i = 0; i < f; ++i) {
    const float g = load(gate[i]);
    store(y[i], g * sigmoid_of(g) * load(up[i]));
  }
}

// dgate and dup may be gate and up: an element is read before it is written.
template <class T>
void backward_row(const T* dy, const T* gate, const T* up, T* dgate, T* dup, std::int64_t f) {
#pragma omp simd
  for (std::int64_t i = 0; i < f; ++i) {
    const float d = load(dy[i]), g = load(gate[i]), u = load(up[i]);
    const float s = sigmoid_of(g);
    store(dgate[i], d * u * s * (1.0f + g * (1.0f - s)));
    store(dup[i], d * g * s);
  }
}

}  // namespace

void swiglu(Context&, Tensor gate_up, Tensor y) {
  const std::int64_t f = y.cols();
  dispatch_floating(y.dtype, [&]<class T>(T) {
    parallel_for(y.rows(), row_grain(f), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const T* gate = row_of<T>(gate_up, row);
        forward_row(gate, gate + f, row_of<T>(y, row), f);
      }
    });
  });
}

void swiglu_backward(Context&, Tensor dy, Tensor gate_up, Tensor dgate_up) {
  const std::int64_t f = dy.cols();
  dispatch_floating(dy.dtype, [&]<class T>(T) {
    parallel_for(dy.rows(), row_grain(f), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const T* gate = row_of<T>(gate_up, row);
        T* const dgate = row_of<T>(dgate_up, row);
        backward_row(row_of<T>(dy, row), gate, gate + f, dgate, dgate + f, f);
      }
    });
  });
}

}  // namespace fathom::ops::cpu

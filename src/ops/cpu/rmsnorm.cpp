#include <cmath>

#include "ops/cpu/math.h"
#include "ops/cpu/rows.h"
#include "ops/dispatch.h"

namespace fathom::ops::cpu {
namespace {

// h = residual + delta, rounded to its type as the backward will see it;
// returns Σ h².
template <class T>
float add_row(const T* residual, const T* delta, T* h, std::int64_t d) {
  return sum_of_ranges(d, [&](std::int64_t begin, std::int64_t end) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = begin; i < end; ++i) {
      store(h[i], load(residual[i]) + load(delta[i]));
      sum += load(h[i]) * load(h[i]);
    }
    return sum;
  });
}

template <class T>
float row_sum_of_squares(const T* h, std::int64_t d) {
  return sum_of_ranges(d, [&](std::int64_t begin, std::int64_t end) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = begin; i < end; ++i) sum += load(h[i]) * load(h[i]);
    return sum;
  });
}

// dh (+)= rstd · (dy · weight − ĥ · mean(dy · weight · ĥ)); dweight += dy · ĥ.
template <class T>
void backward_row(const T* dy, const T* h, const T* weight, float rstd, Incoming incoming, T* dh,
                  float* dweight, std::int64_t d) {
  const float dot = sum_of_ranges(d, [&](std::int64_t begin, std::int64_t end) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = begin; i < end; ++i) {
      const float product = load(dy[i]) * (load(h[i]) * rstd);
      dweight[i] += product;
      sum += product * load(weight[i]);
    }
    return sum;
  });
  const float mean = dot / static_cast<float>(d);
  const bool adds = incoming == Incoming::add;
#pragma omp simd
  for (std::int64_t i = 0; i < d; ++i) {
    const float own = rstd * (load(dy[i]) * load(weight[i]) - load(h[i]) * rstd * mean);
    store(dh[i], adds ? load(dh[i]) + own : own);
  }
}

// dweight += Σ over threads of partial, in the order of the threads.
void add_partials(const Tensor& partial, float* dweight) {
  const std::int64_t threads = partial.shape[0], d = partial.shape[1];
  for (std::int64_t t = 0; t < threads; ++t) {
    const float* row = row_of<float>(partial, t);
    for (std::int64_t i = 0; i < d; ++i) dweight[i] += row[i];
  }
}

}  // namespace

void add_rmsnorm(Context&, Tensor residual, Tensor delta, Tensor weight, float epsilon, Tensor h,
                 Tensor y, Tensor rstd) {
  const std::int64_t d = residual.cols();
  dispatch_floating(residual.dtype, [&]<class T>(T) {
    const T* const scale = weight.as<T>();
    float* const all_rstd = rstd.as<float>();
    parallel_for(residual.rows(), row_grain(d), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const T* sum = row_of<T>(delta ? h : residual, row);
        const float squares =
            delta ? add_row(row_of<T>(residual, row), row_of<T>(delta, row), row_of<T>(h, row), d)
                  : row_sum_of_squares(sum, d);
        const float r = 1.0f / std::sqrt(squares / static_cast<float>(d) + epsilon);
        T* const out = row_of<T>(y, row);
#pragma omp simd
        for (std::int64_t i = 0; i < d; ++i) store(out[i], load(sum[i]) * r * load(scale[i]));
        all_rstd[row] = r;
      }
    });
  });
}

void add_rmsnorm_backward(Context& context, Tensor dy, Tensor h, Tensor weight, Tensor rstd,
                          Incoming incoming, Tensor dh, Tensor dweight) {
  const std::int64_t rows = dy.rows(), d = dy.cols();
  const int threads =
      static_cast<int>(std::clamp<std::int64_t>(rows / row_grain(d), 1, num_threads()));
  const ArenaScope scope(context.workspace);
  const Tensor partial = context.workspace.take(DType::f32, {threads, d});
  dispatch_floating(dy.dtype, [&]<class T>(T) {
    on_each_thread(
        [&](int thread, int total) {
          float* const mine = row_of<float>(partial, thread);
          std::fill_n(mine, d, 0.0f);
          const Range range = split_range(rows, thread, total);
          for (std::int64_t row = range.begin; row < range.end; ++row) {
            backward_row(row_of<T>(dy, row), row_of<T>(h, row), weight.as<T>(),
                         rstd.as<float>()[row], incoming, row_of<T>(dh, row), mine, d);
          }
        },
        threads);
  });
  add_partials(partial, dweight.as<float>());
}

}  // namespace fathom::ops::cpu

#include <cmath>
#include <limits>

#include "ops/cpu/math.h"
#include "ops/cpu/rows.h"
#include "ops/dispatch.h"

namespace fathom::ops::cpu {
namespace {

// Σ exp(x − maximum) over a row and the maximum that it refers to.
struct Softmax {
  float maximum = -std::numeric_limits<float>::infinity();
  double sum = 0;

  double log_sum() const { return std::log(sum) + maximum; }
};

// One pass over memory: a block that fits the first-level cache is read twice,
// for its maximum and for its sum, and the sum so far is rescaled when the
// maximum grows. Blocks are summed in double: V may be 100000 and more.
template <class T>
Softmax softmax_of(const T* row, std::int64_t vocabulary) {
  constexpr std::int64_t block = 2048;
  Softmax result;
  for (std::int64_t begin = 0; begin < vocabulary; begin += block) {
    const std::int64_t end = std::min(begin + block, vocabulary);
    float maximum = result.maximum;
#pragma omp simd reduction(max : maximum)
    for (std::int64_t i = begin; i < end; ++i) {
      maximum = maximum < load(row[i]) ? load(row[i]) : maximum;
    }
    // While all are -inf, any finite shift gives their sum, 0.
    const float shift = maximum == -std::numeric_limits<float>::infinity() ? 0.0f : maximum;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = begin; i < end; ++i) sum += exp_of(load(row[i]) - shift);
    result.sum = result.sum * static_cast<double>(exp_of(result.maximum - shift)) + sum;
    result.maximum = maximum;
  }
  return result;
}

// row = scale · (softmax(row) − one-hot(target)); target −1: none of these columns.
template <class T>
void overwrite_with_gradient(T* row, std::int64_t vocabulary, const Softmax& softmax,
                             std::int32_t target, float scale) {
  const float maximum = softmax.maximum;
  const auto factor = static_cast<float>(scale / softmax.sum);
  const float logit = target < 0 ? 0.0f : load(row[target]);
#pragma omp simd
  for (std::int64_t i = 0; i < vocabulary; ++i) {
    store(row[i], exp_of(load(row[i]) - maximum) * factor);
  }
  if (target >= 0) store(row[target], exp_of(logit - maximum) * factor - scale);
}

// The factor of token i's loss in the sum whose gradient is computed.
float loss_scale_of(const LossWeights& weights, std::int64_t i) {
  return weights.per_token ? weights.scale * weights.per_token.as<float>()[i] : weights.scale;
}

void check_targets(const std::int32_t* targets, std::int64_t n, std::int64_t vocabulary) {
  for (std::int64_t i = 0; i < n; ++i) {
    require(targets[i] >= -1 && targets[i] < vocabulary,
            "cross_entropy: targets[{}] is {}, the vocabulary has {} entries", i, targets[i],
            vocabulary);
  }
}

}  // namespace

void cross_entropy(Context&, Tensor logits, Tensor targets, LogitsGradient gradient,
                   const LossWeights& weights, Tensor losses) {
  const std::int64_t vocabulary = logits.cols();
  const std::int32_t* target = targets.as<std::int32_t>();
  float* const loss = losses.as<float>();
  check_targets(target, logits.shape[0], vocabulary);
  dispatch_floating(logits.dtype, [&]<class T>(T) {
    parallel_for(logits.shape[0], row_grain(vocabulary), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        T* const row = row_of<T>(logits, i);
        if (target[i] < 0) {
          loss[i] = 0;
          if (gradient == LogitsGradient::overwrite) std::fill_n(row, vocabulary, T(0.0f));
          continue;
        }
        const Softmax softmax = softmax_of(row, vocabulary);
        loss[i] = static_cast<float>(softmax.log_sum() - load(row[target[i]]));
        if (gradient == LogitsGradient::overwrite) {
          overwrite_with_gradient(row, vocabulary, softmax, target[i], loss_scale_of(weights, i));
        }
      }
    });
  });
}

void cross_entropy_part(Context&, Tensor logits, Tensor targets, std::int64_t first_id,
                        Tensor part) {
  const std::int64_t n = logits.shape[0], columns = logits.cols();
  const std::int32_t* target = targets.as<std::int32_t>();
  float* const out = part.as<float>();
  dispatch_floating(logits.dtype, [&]<class T>(T) {
    parallel_for(n, row_grain(columns), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const T* const row = row_of<T>(logits, i);
        const Softmax softmax = softmax_of(row, columns);
        const std::int64_t column = target[i] - first_id;
        const bool here = target[i] >= 0 && column >= 0 && column < columns;
        out[i] = softmax.maximum;
        out[n + i] = static_cast<float>(softmax.sum);
        out[2 * n + i] = here ? load(row[column]) : 0.0f;
      }
    });
  });
}

void cross_entropy_from_parts(Context&, Tensor parts, Tensor logits, Tensor targets,
                              std::int64_t first_id, LogitsGradient gradient,
                              const LossWeights& weights, Tensor losses) {
  const std::int64_t n = logits.shape[0], columns = logits.cols(), ranks = parts.shape[0];
  const std::int32_t* target = targets.as<std::int32_t>();
  const float* const in = parts.as<float>();
  float* const loss = losses.as<float>();
  dispatch_floating(logits.dtype, [&]<class T>(T) {
    parallel_for(n, row_grain(columns), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        T* const row = row_of<T>(logits, i);
        if (target[i] < 0) {
          loss[i] = 0;
          if (gradient == LogitsGradient::overwrite) std::fill_n(row, columns, T(0.0f));
          continue;
        }
        Softmax all;
        float logit = 0;
        for (std::int64_t r = 0; r < ranks; ++r) {
          all.maximum = std::max(all.maximum, in[3 * r * n + i]);
          logit += in[(3 * r + 2) * n + i];
        }
        for (std::int64_t r = 0; r < ranks; ++r) {
          all.sum += double{in[(3 * r + 1) * n + i]} * std::exp(in[3 * r * n + i] - all.maximum);
        }
        loss[i] = static_cast<float>(all.log_sum() - logit);
        if (gradient != LogitsGradient::overwrite) continue;
        const std::int64_t column = target[i] - first_id;
        const bool here = column >= 0 && column < columns;
        overwrite_with_gradient(row, columns, all, here ? static_cast<std::int32_t>(column) : -1,
                                loss_scale_of(weights, i));
      }
    });
  });
}

}  // namespace fathom::ops::cpu

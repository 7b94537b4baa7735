// Attention in double precision, as the textbook has it: the oracle of the
// attention tests, itself checked by finite differences.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "ops/attention.h"
#include "ops/guarded_matrix.h"

namespace fathom::ops {

// Normal numbers that the type can hold.
inline Doubles normal_values(std::int64_t count, unsigned seed, DType dtype, double deviation = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, deviation);
  Doubles values(count);
  for (double& value : values) {
    const float x = static_cast<float>(normal(random));
    value = dtype == DType::f32 ? x : static_cast<float>(bfloat16(x));
  }
  return values;
}

// Root mean square of the difference over that of the expected values.
inline double attention_error(const Doubles& actual, const Doubles& expected) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(actual[i] - expected[i], 2);
    size += std::pow(expected[i], 2);
  }
  const double count = static_cast<double>(expected.size());
  return std::sqrt(difference / count) / std::max(std::sqrt(size / count), 0.1);
}

struct AttentionReference {
  HeadShape heads;
  std::vector<std::int32_t> offsets;
  Doubles q, k, v;   // [n, heads · head_dim], contiguous
  Doubles out, lse;  // lse: [num_heads, n]
  Doubles dq, dk, dv;

  std::vector<std::int32_t> queries = {};  // the last so many of each segment; empty: all

  std::int64_t rows() const { return offsets.back(); }
  std::int64_t q_at(std::int64_t i, std::int64_t h) const {
    return (i * heads.num_heads + h) * heads.head_dim;
  }
  std::int64_t k_at(std::int64_t i, std::int64_t h) const {
    return (i * heads.num_kv_heads + h * heads.num_kv_heads / heads.num_heads) * heads.head_dim;
  }
  double scale() const { return 1 / std::sqrt(static_cast<double>(heads.head_dim)); }

  // Over one head's numbers: the sum of a[c] · b[c], and y[c] += a · x[c]. Most of the tests' time
  // is here. Of four sums none waits for the others' additions.
  double dot(const double* a, const double* b) const {
    double sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
    const double* const end = a + heads.head_dim;
    for (; a + 4 <= end; a += 4, b += 4) {
      sum0 += a[0] * b[0];
      sum1 += a[1] * b[1];
      sum2 += a[2] * b[2];
      sum3 += a[3] * b[3];
    }
    for (; a < end; ++a, ++b) sum0 += *a * *b;
    return (sum0 + sum1) + (sum2 + sum3);
  }
  void add(double a, const double* x, double* y) const {
    const std::int64_t count = heads.head_dim;
    for (std::int64_t c = 0; c < count; ++c) y[c] += a * x[c];
  }
  double score(std::int64_t i, std::int64_t j, std::int64_t h) const {
    return dot(&q[q_at(i, h)], &k[k_at(j, h)]) * scale();
  }

  // f(begin, i, h) for every query i of every head, `begin` its segment's first row.
  template <class F>
  void for_each_query(F f) const {
    for (std::size_t s = 0; s + 1 < offsets.size(); ++s) {
      const std::int64_t end = offsets[s + 1];
      for (std::int64_t i = queries.empty() ? offsets[s] : end - queries[s]; i < end; ++i) {
        for (std::int64_t h = 0; h < heads.num_heads; ++h) f(offsets[s], i, h);
      }
    }
  }

  void forward() {
    out.assign(q.size(), 0);
    lse.assign(rows() * heads.num_heads, 0);
    Doubles scores(rows());
    for_each_query([&](std::int64_t begin, std::int64_t i, std::int64_t h) {
      double max = -INFINITY, sum = 0;
      for (std::int64_t j = begin; j <= i; ++j) max = std::max(max, scores[j] = score(i, j, h));
      for (std::int64_t j = begin; j <= i; ++j) sum += scores[j] = std::exp(scores[j] - max);
      lse[h * rows() + i] = max + std::log(sum);
      for (std::int64_t j = begin; j <= i; ++j) {
        add(scores[j] / sum, &v[k_at(j, h)], &out[q_at(i, h)]);
      }
    });
  }

  void backward(const Doubles& dout) {
    dq.assign(q.size(), 0);
    dk.assign(k.size(), 0);
    dv.assign(v.size(), 0);
    for_each_query([&](std::int64_t begin, std::int64_t i, std::int64_t h) {
      const std::int64_t at = q_at(i, h);
      const double d = dot(&dout[at], &out[at]);
      for (std::int64_t j = begin; j <= i; ++j) {
        const std::int64_t to = k_at(j, h);
        const double p = std::exp(score(i, j, h) - lse[h * rows() + i]);
        const double ds = p * (dot(&dout[at], &v[to]) - d) * scale();
        add(p, &dout[at], &dv[to]);
        add(ds, &k[to], &dq[at]);
        add(ds, &q[at], &dk[to]);
      }
    });
  }
};

}  // namespace fathom::ops

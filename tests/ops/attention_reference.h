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

  double score(std::int64_t i, std::int64_t j, std::int64_t h) const {
    double sum = 0;
    for (std::int64_t c = 0; c < heads.head_dim; ++c) sum += q[q_at(i, h) + c] * k[k_at(j, h) + c];
    return sum * scale();
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
      for (std::int64_t j = begin; j <= i; ++j) sum += std::exp(scores[j] - max);
      lse[h * rows() + i] = max + std::log(sum);
      for (std::int64_t j = begin; j <= i; ++j) {
        const double p = std::exp(scores[j] - lse[h * rows() + i]);
        for (std::int64_t c = 0; c < heads.head_dim; ++c) {
          out[q_at(i, h) + c] += p * v[k_at(j, h) + c];
        }
      }
    });
  }

  void backward(const Doubles& dout) {
    dq.assign(q.size(), 0);
    dk.assign(k.size(), 0);
    dv.assign(v.size(), 0);
    for_each_query([&](std::int64_t begin, std::int64_t i, std::int64_t h) {
      const std::int64_t at = q_at(i, h), head_dim = heads.head_dim;
      double d = 0;
      for (std::int64_t c = 0; c < head_dim; ++c) d += dout[at + c] * out[at + c];
      for (std::int64_t j = begin; j <= i; ++j) {
        const double p = std::exp(score(i, j, h) - lse[h * rows() + i]);
        double dp = 0;
        for (std::int64_t c = 0; c < head_dim; ++c) dp += dout[at + c] * v[k_at(j, h) + c];
        const double ds = p * (dp - d) * scale();
        for (std::int64_t c = 0; c < head_dim; ++c) {
          dv[k_at(j, h) + c] += p * dout[at + c];
          dq[at + c] += ds * k[k_at(j, h) + c];
          dk[k_at(j, h) + c] += ds * q[at + c];
        }
      }
    });
  }
};

}  // namespace fathom::ops

// Attention in double precision, as the textbook has it: the oracle of the
// attention tests, itself checked by finite differences.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "ops/attention.h"
#include "ops/guarded_matrix.h"

namespace fathom::ops {

struct AttentionReference {
  HeadShape heads;
  std::vector<std::int32_t> offsets;
  Doubles q, k, v;   // [n, heads · head_dim], contiguous
  Doubles out, lse;  // lse: [num_heads, n]
  Doubles dq, dk, dv;

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
      for (std::int64_t i = offsets[s]; i < offsets[s + 1]; ++i) {
        for (std::int64_t h = 0; h < heads.num_heads; ++h) f(offsets[s], i, h);
      }
    }
  }

  void forward() {
    out.assign(q.size(), 0);
    lse.assign(rows() * heads.num_heads, 0);
    for_each_query([&](std::int64_t begin, std::int64_t i, std::int64_t h) {
      double max = -INFINITY, sum = 0;
      for (std::int64_t j = begin; j <= i; ++j) max = std::max(max, score(i, j, h));
      for (std::int64_t j = begin; j <= i; ++j) sum += std::exp(score(i, j, h) - max);
      lse[h * rows() + i] = max + std::log(sum);
      for (std::int64_t j = begin; j <= i; ++j) {
        const double p = std::exp(score(i, j, h) - lse[h * rows() + i]);
        for (std::int64_t c = 0; c < heads.head_dim; ++c)
          out[q_at(i, h) + c] += p * v[k_at(j, h) + c];
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

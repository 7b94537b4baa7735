// The operations as their formulas stand in the headers, in double precision and
// with plain loops. Matrices are row-major vectors; sizes come first.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

namespace fathom::ops::test {

using Values = std::vector<double>;
using Size = std::size_t;

// y [n, out] = x [n, in] wᵀ, w [out, in].
inline Values reference_linear(Size n, Size in, Size out, const Values& x, const Values& w) {
  Values y(n * out);
  for (Size r = 0; r < n; ++r) {
    for (Size o = 0; o < out; ++o) {
      for (Size i = 0; i < in; ++i) y[r * out + o] += x[r * in + i] * w[o * in + i];
    }
  }
  return y;
}

inline Values reference_linear_backward_input(Size n, Size in, Size out, const Values& dy,
                                              const Values& w) {
  Values dx(n * in);
  for (Size r = 0; r < n; ++r) {
    for (Size o = 0; o < out; ++o) {
      for (Size i = 0; i < in; ++i) dx[r * in + i] += dy[r * out + o] * w[o * in + i];
    }
  }
  return dx;
}

inline Values reference_linear_backward_weight(Size n, Size in, Size out, const Values& dy,
                                               const Values& x) {
  Values dw(out * in);
  for (Size r = 0; r < n; ++r) {
    for (Size o = 0; o < out; ++o) {
      for (Size i = 0; i < in; ++i) dw[o * in + i] += dy[r * out + o] * x[r * in + i];
    }
  }
  return dw;
}

struct RMSNormResult {
  Values y, rstd;
};
inline RMSNormResult reference_rmsnorm(Size n, Size d, const Values& h, const Values& weight,
                                       double epsilon) {
  RMSNormResult result{Values(n * d), Values(n)};
  for (Size r = 0; r < n; ++r) {
    double squares = 0;
    for (Size i = 0; i < d; ++i) squares += h[r * d + i] * h[r * d + i];
    result.rstd[r] = 1 / std::sqrt(squares / static_cast<double>(d) + epsilon);
    for (Size i = 0; i < d; ++i) {
      result.y[r * d + i] = h[r * d + i] * result.rstd[r] * weight[i];
    }
  }
  return result;
}

struct RMSNormGradients {
  Values dh, dweight;  // the norm's own share of dh
};
inline RMSNormGradients reference_rmsnorm_backward(Size n, Size d, const Values& dy,
                                                   const Values& h, const Values& weight,
                                                   const Values& rstd) {
  RMSNormGradients result{Values(n * d), Values(d)};
  for (Size r = 0; r < n; ++r) {
    double mean = 0;
    for (Size i = 0; i < d; ++i) {
      const double normed = h[r * d + i] * rstd[r];
      result.dweight[i] += dy[r * d + i] * normed;
      mean += dy[r * d + i] * weight[i] * normed / static_cast<double>(d);
    }
    for (Size i = 0; i < d; ++i) {
      result.dh[r * d + i] = rstd[r] * (dy[r * d + i] * weight[i] - h[r * d + i] * rstd[r] * mean);
    }
  }
  return result;
}

// Row p: cosines, then sines, of p · 10000^(−2i / head_dim).
inline Values rope_table(Size positions, Size head_dim) {
  Values table(positions * head_dim);
  const Size half = head_dim / 2;
  for (Size p = 0; p < positions; ++p) {
    for (Size i = 0; i < half; ++i) {
      const double angle = static_cast<double>(p) *
                           std::pow(10000.0, -2.0 * static_cast<double>(i) / double(head_dim));
      table[p * head_dim + i] = std::cos(angle);
      table[p * head_dim + half + i] = std::sin(angle);
    }
  }
  return table;
}

// x [n, heads · head_dim]; `turn` +1 forward, −1 backward.
inline Values reference_rope(Size n, Size heads, Size head_dim, const Values& x,
                             const Values& positions, const Values& table, double turn) {
  Values y(x.size());
  const Size half = head_dim / 2;
  for (Size r = 0; r < n; ++r) {
    const double* cosine = &table[static_cast<Size>(positions[r]) * head_dim];
    for (Size head = 0; head < heads; ++head) {
      const Size at = (r * heads + head) * head_dim;
      for (Size i = 0; i < half; ++i) {
        const double c = cosine[i], s = turn * cosine[half + i];
        y[at + i] = x[at + i] * c - x[at + half + i] * s;
        y[at + half + i] = x[at + half + i] * c + x[at + i] * s;
      }
    }
  }
  return y;
}

inline double reference_sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

inline Values reference_swiglu(Size n, Size f, const Values& gate_up) {
  Values y(n * f);
  for (Size r = 0; r < n; ++r) {
    for (Size i = 0; i < f; ++i) {
      const double gate = gate_up[r * 2 * f + i], up = gate_up[r * 2 * f + f + i];
      y[r * f + i] = gate * reference_sigmoid(gate) * up;
    }
  }
  return y;
}

inline Values reference_swiglu_backward(Size n, Size f, const Values& dy, const Values& gate_up) {
  Values dgate_up(n * 2 * f);
  for (Size r = 0; r < n; ++r) {
    for (Size i = 0; i < f; ++i) {
      const double gate = gate_up[r * 2 * f + i], up = gate_up[r * 2 * f + f + i];
      const double s = reference_sigmoid(gate), d = dy[r * f + i];
      dgate_up[r * 2 * f + i] = d * up * s * (1 + gate * (1 - s));
      dgate_up[r * 2 * f + f + i] = d * gate * s;
    }
  }
  return dgate_up;
}

struct CrossEntropyResult {
  Values losses, gradient;
};
inline CrossEntropyResult reference_cross_entropy(Size n, Size vocabulary, const Values& logits,
                                                  const Values& targets, double scale) {
  CrossEntropyResult result{Values(n), Values(n * vocabulary)};
  for (Size r = 0; r < n; ++r) {
    if (targets[r] < 0) continue;
    const double* row = &logits[r * vocabulary];
    const double maximum = *std::max_element(row, row + vocabulary);
    double sum = 0;
    for (Size i = 0; i < vocabulary; ++i) sum += std::exp(row[i] - maximum);
    const Size target = static_cast<Size>(targets[r]);
    result.losses[r] = std::log(sum) + maximum - row[target];
    for (Size i = 0; i < vocabulary; ++i) {
      const double probability = std::exp(row[i] - maximum) / sum;
      result.gradient[r * vocabulary + i] = scale * (probability - (i == target ? 1 : 0));
    }
  }
  return result;
}

// d(loss)/d(x) by central differences, for tests of the formulas above.
inline Values finite_differences(const std::function<double(const Values&)>& loss, Values x) {
  constexpr double step = 1e-5;
  Values gradient(x.size());
  for (Size i = 0; i < x.size(); ++i) {
    const double saved = x[i];
    x[i] = saved + step;
    const double above = loss(x);
    x[i] = saved - step;
    gradient[i] = (above - loss(x)) / (2 * step);
    x[i] = saved;
  }
  return gradient;
}

}  // namespace fathom::ops::test

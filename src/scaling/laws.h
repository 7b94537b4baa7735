// Scaling laws: how the best learning rate, batch, model size, token count and loss of a training
// run follow from its compute budget (arXiv 2401.02954, section 3).
//
//   C  compute budget in FLOPs, C = M · D
//   M  non-embedding FLOPs a token, forward and backward (scaling/flops.h)
//   D  training tokens
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"

namespace fathom::scaling {

struct Interval {
  double low = 0, high = 0;
  bool operator==(const Interval&) const = default;
};

// The interval that holds the middle 95 % of `values`, interpolated between neighbours. Needs one
// value at least.
Interval middle_95(std::vector<double> values);

// A fitted number, with its 95 % interval where one is known.
struct Parameter {
  double value = 0;
  std::optional<Interval> interval;
  bool operator==(const Parameter&) const = default;
};

// What a law was fitted to, and how far other data would have moved it.
template <std::size_t Axes, std::size_t Parameters>
struct FitRecord {
  // The measurements: the law's arguments, then its value.
  std::vector<std::array<double, Axes>> points;
  // Parameters, in the order of the law's members, of fits to resampled measurements (bootstrap).
  std::vector<std::array<double, Parameters>> draws;
  bool operator==(const FitRecord&) const = default;
};

// y = coefficient · x^exponent
struct PowerLaw {
  Parameter coefficient, exponent;
  FitRecord<2, 2> record;  // points: x, y

  double at(double x) const;
  // 95 % interval of the law's value; none without draws.
  std::optional<Interval> interval_at(double x) const;
  bool operator==(const PowerLaw&) const = default;
};

// L(C) = irreducible + coefficient · C^exponent, exponent < 0
struct LossCurve {
  Parameter irreducible, coefficient, exponent;
  FitRecord<2, 3> record;  // points: C, L

  double at(double compute) const;
  std::optional<Interval> interval_at(double compute) const;
  bool operator==(const LossCurve&) const = default;
};

// L(M, D) = irreducible + model_coefficient / M^model_exponent + data_coefficient / D^data_exponent
// (arXiv 2203.15556, equation 10, with M in place of the number of parameters).
struct LossSurface {
  Parameter irreducible, model_coefficient, model_exponent, data_coefficient, data_exponent;
  FitRecord<3, 5> record;  // points: M, D, L

  double at(double model_flops, double tokens) const;
  std::optional<Interval> interval_at(double model_flops, double tokens) const;
  bool operator==(const LossSurface&) const = default;
};

// All laws of one data set; a law that was not fitted is absent.
struct Laws {
  std::string source;  // where they come from, for messages: a file, or "deepseek"
  std::string data;    // name of the data set
  std::string loss_unit = "bits per byte";

  std::optional<PowerLaw> learning_rate;  // best peak learning rate, of C
  std::optional<PowerLaw> batch_tokens;   // best batch in tokens, of C
  std::optional<PowerLaw> model_flops;    // M_opt, of C
  std::optional<PowerLaw> tokens;         // D_opt, of C
  std::optional<LossCurve> loss;          // loss of the best allocation, of C
  std::optional<LossSurface> loss_surface;
  bool operator==(const Laws&) const = default;
};

// The report's laws, for its "current in-house data" (sections 3.1 and 3.2):
//   learning rate 0.3118 · C^-0.1250     batch 0.2920 · C^0.3271 tokens
//   M_opt 0.1715 · C^0.5243              D_opt 5.8316 · C^0.4757
// It publishes no intervals, and no coefficients for the loss.
Laws deepseek_laws();

// `law`, the member `key` of `laws`. Throws an input Error that names both when it is absent.
template <class Law>
const Law& require_law(const std::optional<Law>& law, const char* key, const Laws& laws) {
  if (law) return *law;
  fail_input("{}: has no law '{}': fit one with `fathom scaling fit`, or name other laws",
             laws.source, key);
}

}  // namespace fathom::scaling

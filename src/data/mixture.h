// Determines which source each training sample comes from.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fathom {

// Sources take turns in a pattern of `period` samples that repeats for ever. Each source
// has its weight's share of the pattern, rounded by largest remainder (at least one
// sample), and its turns are spread evenly. So any run of consecutive samples has the
// shares of the weights, within a sample or so per source, and the number of samples of a
// source before sample i is known without counting. Pure: the pattern depends on the
// weights alone.
class Mixture {
 public:
  static constexpr std::int64_t period = 1 << 16;

  // Weights must be positive and finite, and there must be fewer than `period`.
  explicit Mixture(std::span<const double> weights);

  struct Turn {
    int source;
    std::int64_t ordinal;  // number of earlier samples of this source
  };
  Turn turn(std::int64_t sample) const;
  // Samples of `source` before `sample`: the ordinal of its next turn from there on.
  std::int64_t turns_before(int source, std::int64_t sample) const;

  // Samples of `source` in one period.
  std::int64_t quota(int source) const { return quotas_[static_cast<std::size_t>(source)]; }

 private:
  std::vector<std::int64_t> quotas_;
  struct Slot {
    std::int32_t source;
    std::int32_t ordinal;  // in the period
  };
  std::vector<Slot> slots_;  // [period]
};

}  // namespace fathom

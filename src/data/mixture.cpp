#include "data/mixture.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"

namespace fathom {

namespace {

// Divides `period` samples in proportion to the weights: at least 1 each, otherwise
// rounded down, with the left-over samples given to the largest remainders.
std::vector<std::int64_t> quotas_of(std::span<const double> weights, std::int64_t period) {
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<std::int64_t> quotas;
  std::vector<std::pair<double, std::size_t>> remainders;
  for (const double weight : weights) {
    const double exact = weight / total * static_cast<double>(period);
    const auto whole = std::max<std::int64_t>(1, static_cast<std::int64_t>(exact));
    remainders.emplace_back(exact - static_cast<double>(whole), quotas.size());
    quotas.push_back(whole);
  }
  std::stable_sort(remainders.begin(), remainders.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::int64_t left = period - std::accumulate(quotas.begin(), quotas.end(), std::int64_t{0});
  for (std::size_t i = 0; left > 0; i = (i + 1) % remainders.size(), --left) {
    ++quotas[remainders[i].second];
  }
  // Samples of tiny weights that were rounded up to one come from the largest.
  for (; left < 0; ++left) --*std::max_element(quotas.begin(), quotas.end());
  return quotas;
}

}  // namespace

Mixture::Mixture(std::span<const double> weights) {
  require(!weights.empty() && weights.size() < static_cast<std::size_t>(period),
          "a mixture of {} sources", weights.size());
  for (const double weight : weights) {
    require(std::isfinite(weight) && weight > 0, "a source's weight is {}", weight);
  }
  quotas_ = quotas_of(weights, period);
  // Turn k of a source with quota q is due at time (k + 1/2) / q; all turns in the
  // order of their times make the pattern. Times are compared as exact fractions.
  struct Due {
    std::int64_t numerator, quota;
    Slot slot;
  };
  std::vector<Due> due;
  due.reserve(static_cast<std::size_t>(period));
  for (std::size_t s = 0; s < quotas_.size(); ++s) {
    for (std::int64_t k = 0; k < quotas_[s]; ++k) {
      due.push_back(
          {2 * k + 1, quotas_[s], {static_cast<std::int32_t>(s), static_cast<std::int32_t>(k)}});
    }
  }
  std::sort(due.begin(), due.end(), [](const Due& a, const Due& b) {
    const std::int64_t left = a.numerator * b.quota, right = b.numerator * a.quota;
    return left != right ? left < right : a.slot.source < b.slot.source;
  });
  for (const Due& d : due) slots_.push_back(d.slot);
}

Mixture::Turn Mixture::turn(std::int64_t sample) const {
  const Slot slot = slots_[static_cast<std::size_t>(sample % period)];
  return {slot.source, sample / period * quota(slot.source) + slot.ordinal};
}

std::int64_t Mixture::turns_before(int source, std::int64_t sample) const {
  const auto begin = slots_.begin();
  return sample / period * quota(source) +
         std::count_if(begin, begin + static_cast<std::ptrdiff_t>(sample % period),
                       [source](const Slot& slot) { return slot.source == source; });
}

}  // namespace fathom

#include "scaling/hyperparameters.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace fathom::scaling {

std::int64_t Hyperparameters::batch_sequences(std::int64_t sequence_length) const {
  return std::max<std::int64_t>(1,
                                std::llround(batch_tokens / static_cast<double>(sequence_length)));
}

Hyperparameters hyperparameters(const Laws& laws, double compute) {
  if (!(compute > 0) || !std::isfinite(compute)) {
    fail_input("a budget of {} FLOPs: use a positive number, such as 1e20", compute);
  }
  const PowerLaw& rate = require_law(laws.learning_rate, "learning_rate", laws);
  const PowerLaw& batch = require_law(laws.batch_tokens, "batch_tokens", laws);
  Hyperparameters h{rate.at(compute), batch.at(compute), rate.interval_at(compute),
                    batch.interval_at(compute)};
  constexpr double max_batch = 1e12;  // tokens
  if (!(h.learning_rate > 0) || !std::isfinite(h.learning_rate) || !(h.batch_tokens <= max_batch)) {
    fail_input(
        "{}: for {:.3g} FLOPs its laws give a learning rate of {:.3g} and a batch of {:.3g} "
        "tokens: "
        "the budget is too far from what they were fitted to",
        laws.source, compute, h.learning_rate, h.batch_tokens);
  }
  return h;
}

std::int64_t round_batch(std::int64_t sequences) {
  constexpr std::int64_t parts = 16;
  if (sequences < 2 * parts) return sequences;
  const auto power =
      static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(sequences / parts)));
  return (sequences + power / 2) / power * power;
}

}  // namespace fathom::scaling

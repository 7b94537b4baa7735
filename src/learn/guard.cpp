#include "learn/guard.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace fathom {
namespace {

std::string_view describe(GuardAction action) {
  switch (action) {
    case GuardAction::skip:
      return "this step is skipped: weights and moments stay as they are";
    case GuardAction::stop:
      return "training stops before the weights change";
    case GuardAction::ignore:
      return "training goes on";
  }
  return "";
}

}  // namespace

void check(const GuardConfig& c) {
  if (!(c.sigma > 0)) fail_input("guard.sigma is {}: use a positive number", c.sigma);
  if (c.window < 2) fail_input("guard.window is {}: use 2 steps or more", c.window);
  if (c.warmup < 1) fail_input("guard.warmup is {}: use 1 step or more", c.warmup);
  if (c.max_consecutive < 1) {
    fail_input("guard.max_consecutive is {}: use 1 or more", c.max_consecutive);
  }
}

SpikeGuard::Finding SpikeGuard::classify(double loss, double gradient_norm) const {
  if (!std::isfinite(loss) || !std::isfinite(gradient_norm)) return Finding::not_finite;
  if (state_.seen < config_.warmup) return Finding::fine;
  // A floor under the deviation, so that a run whose loss hardly moves does not
  // take rounding for a spike.
  const double deviation = std::max(std::sqrt(state_.variance), 1e-3 * std::abs(state_.mean));
  return loss > state_.mean + config_.sigma * deviation ? Finding::spike : Finding::fine;
}

// Exponential mean and variance; a plain mean until the window is full.
void SpikeGuard::learn(double loss) {
  ++state_.seen;
  const double weight = 1.0 / static_cast<double>(std::min(state_.seen, config_.window));
  const double difference = loss - state_.mean;
  state_.mean += weight * difference;
  state_.variance = (1 - weight) * (state_.variance + weight * difference * difference);
}

SpikeGuard::Verdict SpikeGuard::judge(std::int64_t step, double loss, double gradient_norm,
                                      std::string_view samples) {
  Verdict verdict{classify(loss, gradient_norm), GuardAction::ignore, {}};
  if (verdict.finding == Finding::not_finite) {
    verdict.action = config_.on_nan;
    verdict.message = fmt::format("step {}: loss {} and gradient norm {} are not both finite", step,
                                  loss, gradient_norm);
  } else if (verdict.finding == Finding::spike) {
    verdict.action = config_.on_spike;
    verdict.message = fmt::format(
        "step {}: loss {:.4f} lies more than {} standard deviations above its running mean {:.4f} "
        "± {:.4f}, gradient norm {:.3f}",
        step, loss, config_.sigma, state_.mean, std::sqrt(state_.variance), gradient_norm);
  }
  if (std::isfinite(loss) && verdict.action == GuardAction::ignore) learn(loss);
  if (verdict.action != GuardAction::skip) {
    state_.consecutive = 0;
  } else {
    ++state_.skipped;
    if (++state_.consecutive >= config_.max_consecutive) verdict.action = GuardAction::stop;
  }
  if (verdict.finding != Finding::fine) {
    verdict.message += fmt::format(", {}; {}", samples, describe(verdict.action));
  }
  return verdict;
}

}  // namespace fathom

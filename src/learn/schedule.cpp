#include "learn/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"

namespace fathom {
namespace {

bool is_share(double value) {
  return value >= 0 && value <= 1;
}

// Rises with the steps, or with the run when that is short.
double warmup(const ScheduleConfig& config, std::int64_t steps, double progress) {
  double done = 1;
  if (config.warmup_steps > 0) {
    done = static_cast<double>(steps + 1) / static_cast<double>(config.warmup_steps);
  }
  if (config.max_warmup <= 0) return 1;
  return std::min(1.0, std::max(done, progress / config.max_warmup));
}

double decay(const ScheduleConfig& config, double progress) {
  switch (config.kind) {
    case ScheduleKind::multi_step: {
      const std::int64_t phase = schedule_phase(config, progress);
      return phase > 0 ? config.factors[static_cast<std::size_t>(phase - 1)] : 1;
    }
    case ScheduleKind::cosine:
      return config.final_factor +
             (1 - config.final_factor) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
    case ScheduleKind::constant:
      return 1;
  }
  return 1;
}

}  // namespace

void check(const ScheduleConfig& c) {
  if (!(c.peak > 0) || std::isinf(static_cast<float>(c.peak))) {
    fail_input("schedule.peak is {}: use a positive learning rate, for example 3e-4", c.peak);
  }
  if (c.warmup_steps < 0) fail_input("schedule.warmup_steps is {}: use 0 or more", c.warmup_steps);
  if (!is_share(c.max_warmup)) {
    fail_input("schedule.max_warmup is {}: use a share between 0 and 1", c.max_warmup);
  }
  if (!is_share(c.final_factor)) {
    fail_input("schedule.final_factor is {}: use a share between 0 and 1", c.final_factor);
  }
  if (c.milestones.size() != c.factors.size()) {
    fail_input("schedule.milestones has {} entries and schedule.factors {}: give as many",
               c.milestones.size(), c.factors.size());
  }
  if (!std::all_of(c.milestones.begin(), c.milestones.end(), is_share) ||
      !std::is_sorted(c.milestones.begin(), c.milestones.end())) {
    fail_input("schedule.milestones: use ascending shares between 0 and 1");
  }
  if (!std::all_of(c.factors.begin(), c.factors.end(), is_share)) {
    fail_input("schedule.factors: use shares between 0 and 1");
  }
}

ScheduleFactors schedule_factors(const ScheduleConfig& config, std::int64_t steps,
                                 double progress) {
  const double share = std::clamp(progress, 0.0, 1.0);
  return {warmup(config, steps, share), decay(config, share)};
}

double learning_rate(const ScheduleConfig& config, const ScheduleFactors& factors) {
  return config.peak * factors.warmup * factors.decay;
}

std::int64_t schedule_phase(const ScheduleConfig& config, double progress) {
  if (config.kind != ScheduleKind::multi_step) return 0;
  return std::ranges::upper_bound(config.milestones, progress) - config.milestones.begin();
}

}  // namespace fathom

#include "scaling/failures.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "core/error.h"

namespace fathom::scaling {
namespace {

constexpr int runs = 400;
constexpr double hour = 3600, day = 86400;
// More would say nothing new, and last too long.
constexpr double most_failures = 1e6;

void check(const FailureModel& m) {
  const auto positive = [](const char* option, double value) {
    if (!(value > 0) || std::isinf(value)) {
      fail_input("{} is {}: use a positive number", option, value);
    }
  };
  positive("--simulate-failures", m.gpu_hours_between);
  positive("--checkpoint-seconds", m.interval_seconds);
  if (!(m.restart_seconds >= 0) || std::isinf(m.restart_seconds)) {
    fail_input("--restart-seconds is {}: use 0 or more", m.restart_seconds);
  }
}

struct RunOutcome {
  double seconds = 0, failures = 0;
};

// Between two failures the job restarts, then trains; what it trained since the last checkpoint
// that was complete is lost.
RunOutcome simulate_run(const FailureModel& m, double train_seconds, double between,
                        std::mt19937_64& random) {
  std::exponential_distribution<double> time_to_failure(1 / between);
  RunOutcome outcome;
  double saved = 0, restart = 0;
  while (outcome.failures < most_failures) {
    const double wanted = restart + train_seconds - saved;
    const double life = time_to_failure(random);
    if (life >= wanted) {
      outcome.seconds += wanted;
      return outcome;
    }
    outcome.seconds += life;
    ++outcome.failures;
    const double trained = life - restart;
    if (trained > m.write_seconds) {
      saved += std::floor((trained - m.write_seconds) / m.interval_seconds) * m.interval_seconds;
    }
    restart = m.restart_seconds;
  }
  fail_input(
      "a failure each {:.0f} s, with {:.0f} s to restart and a checkpoint each {:.0f} s: the run "
      "hardly advances; use fewer GPUs, or checkpoints more often",
      between, m.restart_seconds, m.interval_seconds);
}

}  // namespace

FailureCost simulate_failures(const FailureModel& model, double train_seconds, int gpus) {
  check(model);
  const double between = model.gpu_hours_between * hour / gpus;
  std::mt19937_64 random(1);
  FailureCost cost;
  std::vector<double> days;
  for (int i = 0; i < runs; ++i) {
    const RunOutcome outcome = simulate_run(model, train_seconds, between, random);
    cost.failures += outcome.failures / runs;
    cost.days += outcome.seconds / day / runs;
    days.push_back(outcome.seconds / day);
  }
  cost.days_interval = middle_95(days);
  cost.lost_share = 1 - train_seconds / day / cost.days;
  return cost;
}

}  // namespace fathom::scaling

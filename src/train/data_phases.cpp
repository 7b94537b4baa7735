#include "train/data_phases.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "core/error.h"

namespace fathom {
namespace {

// The run's own first sample.
RunPosition start_of(const TrainPlan& plan) {
  if (!plan.branch) return {};
  return {plan.branch->step, plan.branch->tokens, plan.branch->next_sample, 0};
}

// From where the plan's steps count on.
RunPosition origin_of(const TrainPlan& plan) {
  const RunPosition start = start_of(plan);
  return plan.origin.position.steps > start.steps ? plan.origin.position : start;
}

std::int64_t sample_at_tokens(const TrainPlan& plan, std::int64_t tokens) {
  const RunPosition start = start_of(plan);
  const std::int64_t length = plan.config.train.sequence_length;
  const std::int64_t own = std::max<std::int64_t>(0, tokens - start.tokens);
  return start.next_sample + own / length + (own % length != 0);
}

// Steps that were taken may have had another size: of a phase that has begun the checkpoint says
// where.
PhaseBegin begin_at_step(const TrainPlan& plan, std::int64_t step) {
  const RunPosition start = start_of(plan), origin = origin_of(plan);
  for (const PhaseState& begun : plan.origin.phases) {
    if (begun.step == step && step < origin.steps) return {begun.first_sample, step};
  }
  const std::int64_t sample =
      origin.next_sample + (step - origin.steps) * plan.config.train.global_batch;
  return {step <= start.steps ? start.next_sample : std::max(start.next_sample, sample), step};
}

PhaseBegin begin_at_tokens(const TrainPlan& plan, std::int64_t tokens) {
  return {sample_at_tokens(plan, tokens), 0, tokens};
}

// The first of the limits to come to its share, as for the learning rate. Time is none: where it
// leads is not known.
PhaseBegin begin_at_share(const TrainPlan& plan, const MixPhaseConfig& phase) {
  const double share = *phase.begin_share;
  if (plan.max_tokens == 0 && plan.max_steps == 0) {
    fail_input(
        "{}: only train.max_minutes limits the run, and a share of time is no place in the data: "
        "use begin_tokens or begin_step",
        description(phase));
  }
  // What rounding adds to a product is no further token or step.
  const auto share_of = [share](std::int64_t limit) {
    return static_cast<std::int64_t>(std::ceil(share * static_cast<double>(limit) * (1 - 1e-12)));
  };
  std::optional<PhaseBegin> begin;
  if (plan.max_steps > 0) begin = begin_at_step(plan, share_of(plan.max_steps));
  if (plan.max_tokens > 0) {
    const PhaseBegin by_tokens = begin_at_tokens(plan, share_of(plan.max_tokens));
    if (!begin || by_tokens.first_sample < begin->first_sample) begin = by_tokens;
  }
  return *begin;
}

void check(const MixPhaseConfig& phase) {
  if (phase.begin_share.has_value() + phase.begin_tokens.has_value() +
          phase.begin_step.has_value() !=
      1) {
    fail_input("{}: give one of begin_share, begin_tokens and begin_step", description(phase));
  }
  if (phase.begin_share && !(*phase.begin_share > 0 && *phase.begin_share < 1)) {
    fail_input("{}: use a share between 0 and 1; [[data.sources]] has the weights at the start",
               description(phase));
  }
  if (phase.begin_tokens.value_or(1) < 1 || phase.begin_step.value_or(1) < 1) {
    fail_input("{}: use 1 or more; [[data.sources]] has the weights at the start",
               description(phase));
  }
}

PhaseBegin begin_of(const TrainPlan& plan, const MixPhaseConfig& phase) {
  check(phase);
  if (phase.begin_share) return begin_at_share(plan, phase);
  if (phase.begin_step) return begin_at_step(plan, *phase.begin_step);
  return begin_at_tokens(plan, *phase.begin_tokens);
}

// `earlier`: of the phases before it. Of those before the start of a run that continues another the
// last counts. Which sample such a place was is not known, but which of two places of one kind, in
// steps or in tokens, comes first.
void check_order(const TrainPlan& plan, const MixPhaseConfig& phase, const PhaseBegin& begin,
                 std::span<const PhaseBegin> earlier) {
  const std::int64_t start = start_of(plan).next_sample;
  const std::int64_t before = earlier.empty() ? start : earlier.back().first_sample;
  if (begin.first_sample <= before && !(before == start && plan.branch)) {
    fail_input("{}: it begins after {} tokens, and the one before it after {}: order the phases",
               description(phase), tokens_before(plan, begin.first_sample),
               tokens_before(plan, before));
  }
  for (const PhaseBegin& other : earlier) {
    if (begin.tokens > 0 && begin.tokens <= other.tokens) {
      fail_input("{}: one before it begins after {} tokens: order the phases", description(phase),
                 other.tokens);
    }
    if (begin.step > 0 && begin.step <= other.step) {
      fail_input("{}: one before it begins after {} steps: order the phases", description(phase),
                 other.step);
    }
  }
}

}  // namespace

std::vector<PhaseBegin> phase_begins(const TrainPlan& plan) {
  const std::int64_t end = end_sample(plan);
  std::vector<PhaseBegin> begins;
  for (const MixPhaseConfig& phase : plan.config.data.phases) {
    const PhaseBegin begin = begin_of(plan, phase);
    check_order(plan, phase, begin, begins);
    if (end > 0 && begin.first_sample >= end) {
      fail_input("{}: it begins after {} tokens, but the run ends after {}", description(phase),
                 tokens_before(plan, begin.first_sample), tokens_before(plan, end));
    }
    begins.push_back(begin);
  }
  return begins;
}

std::vector<MixPhase> mix_phases(const TrainPlan& plan, const PreparedData& data) {
  const std::vector<PhaseBegin> begins = phase_begins(plan);
  std::vector<std::vector<double>> weights = phase_weights(data, plan.config.data.phases);
  std::vector<MixPhase> phases;
  for (std::size_t i = 0; i < begins.size(); ++i) {
    phases.push_back({begins[i].first_sample, std::move(weights[i])});
  }
  return phases;
}

std::vector<MixPhaseConfig> reached_phases(const TrainConfig& config) {
  TrainPlan plan;
  plan.config = config;
  plan.max_steps = config.train.steps.value();
  std::vector<MixPhaseConfig> reached;
  std::int64_t before = 0;
  for (const MixPhaseConfig& phase : config.data.phases) {
    const std::int64_t first = begin_of(plan, phase).first_sample;
    if (first <= before || first >= end_sample(plan)) continue;
    before = first;
    reached.push_back(phase);
  }
  return reached;
}

std::int64_t end_sample(const TrainPlan& plan) {
  const RunPosition origin = origin_of(plan);
  const std::int64_t last = plan.last_step(origin);
  if (last == 0) return 0;
  const std::int64_t left = std::max<std::int64_t>(0, last - origin.steps);
  return origin.next_sample + left * plan.config.train.global_batch;
}

std::int64_t tokens_before(const TrainPlan& plan, std::int64_t sample) {
  const RunPosition start = start_of(plan);
  return start.tokens + (sample - start.next_sample) * plan.config.train.sequence_length;
}

}  // namespace fathom

#include "train/run_state.h"

#include "checkpoint/ranks.h"
#include "core/error.h"

namespace fathom {

TrainingState state_of(const RunPosition& position, const SpikeGuard::State& guard,
                       const RunIdentity& run, const TrainPlan& plan) {
  TrainingState s;
  s.step = position.steps;
  s.tokens = position.tokens;
  s.seed = run.seed;
  s.data = run.data;
  s.data->next_sample = position.next_sample;
  // Phases to come are a plan, which a resumed run may change.
  std::erase_if(s.data->phases, [&](const PhaseState& phase) {
    return phase.first_sample >= position.next_sample;
  });
  s.guard = {guard.mean, guard.variance, guard.seen, guard.skipped, guard.consecutive};
  s.elapsed_seconds = position.seconds;
  TrainConfig config = plan.config;
  s.config_toml = config_to_toml(config);
  s.tokenizer_hash = run.tokenizer_hash;
  s.objective = run.objective;
  RunPosition last = position;  // before the last step
  --last.steps;
  last.tokens -= plan.tokens_per_step;
  s.schedule = {plan.schedule_factors(position).warmup, plan.schedule_factors(last).decay};
  s.branch = plan.branch;
  return s;
}

RunPosition position_in(const TrainingState& state) {
  return {state.step, state.tokens, state.data.value().next_sample, state.elapsed_seconds};
}

SpikeGuard::State guard_in(const TrainingState& state) {
  const GuardState& g = state.guard.value();
  return {g.mean, g.variance, g.seen, g.skipped, g.consecutive};
}

bool use_checkpoint(const std::string& directory, const std::string& resume,
                    const RankGroups& ranks, const std::function<void(const Checkpoint&)>& use) {
  if (resume == "none") return false;
  const bool newest = resume == "auto";
  if (use_newest_checkpoint(newest ? directory : resume, ranks.world(), use)) return true;
  if (!newest) fail_no_checkpoint(resume);
  return false;
}

}  // namespace fathom

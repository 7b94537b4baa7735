#include "train/run_state.h"

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
  s.guard = {guard.mean, guard.variance, guard.seen, guard.skipped, guard.consecutive};
  s.elapsed_seconds = position.seconds;
  TrainConfig config = plan.config;
  s.config_toml = config_to_toml(config);
  s.tokenizer_hash = run.tokenizer_hash;
  return s;
}

RunPosition position_in(const TrainingState& state) {
  return {state.step, state.tokens, state.data.value().next_sample, state.elapsed_seconds};
}

SpikeGuard::State guard_in(const TrainingState& state) {
  const GuardState& g = state.guard.value();
  return {g.mean, g.variance, g.seen, g.skipped, g.consecutive};
}

std::optional<Checkpoint> find_checkpoint(const std::string& directory, const std::string& resume,
                                          const RankGroups* ranks) {
  const bool first = !ranks || ranks->first();
  std::optional<Checkpoint> checkpoint;
  if (first && resume == "auto") {
    checkpoint = latest_checkpoint(directory);
  } else if (first && resume != "none") {
    checkpoint.emplace(open_checkpoint(resume));
  }
  if (!ranks) return checkpoint;
  const auto found = gather_texts(ranks->world(), checkpoint ? checkpoint->directory() : "");
  if (!first && !found.front().empty()) {
    checkpoint.emplace(found.front(), Checkpoint::Verify::sizes);
  }
  return checkpoint;
}

}  // namespace fathom

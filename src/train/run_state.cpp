#include "train/run_state.h"

#include "checkpoint/model.h"
#include "core/error.h"

namespace fathom {

RunIdentity identity_of(const PreparedData& data, const Sampler& sampler) {
  return {static_cast<std::int64_t>(sampler.fingerprint()),
          fmt::format("{:016x}", data.tokenizer_hash)};
}

TrainingState state_of(const RunPosition& position, const SpikeGuard::State& guard,
                       const RunIdentity& run, const TrainPlan& plan) {
  TrainingState s;
  s.step = position.steps;
  s.tokens = position.tokens;
  s.data_position = {position.next_sample, run.sample_order};
  s.seed = static_cast<std::uint64_t>(plan.config.seed);
  s.guard = {guard.mean, guard.variance, double(guard.seen), double(guard.skipped),
             double(guard.consecutive)};
  s.elapsed_seconds = position.seconds;
  TrainConfig config = plan.config;
  s.config_toml = config_to_toml(config);
  s.tokenizer_hash = run.tokenizer_hash;
  return s;
}

void require_same_run(const Checkpoint& checkpoint, const RunIdentity& run,
                      const ModelConfig& model) {
  const TrainingState& s = checkpoint.state();
  if (s.data_position.size() != 2 || s.guard.size() != 5) {
    fail_input(
        "{}: holds weights, but no state of a run to resume: start from it with "
        "--set init_from={}",
        checkpoint.directory(), checkpoint.directory());
  }
  if (s.tokenizer_hash != run.tokenizer_hash) {
    fail_input(
        "{}: made with tokenizer {}, but the data with {}: use the data it began with, or "
        "--resume none with another output",
        checkpoint.directory(), s.tokenizer_hash, run.tokenizer_hash);
  }
  if (s.data_position[1] != run.sample_order) {
    fail_input(
        "{}: the data, their weights, the seed or train.sequence_length are not those of "
        "this checkpoint; restore them, or start a run in another output directory",
        checkpoint.directory());
  }
  require_model(checkpoint, model);
}

RunPosition position_in(const TrainingState& state) {
  return {state.step, state.tokens, state.data_position.at(0), state.elapsed_seconds};
}

SpikeGuard::State guard_in(const TrainingState& state) {
  const auto count = [&](std::size_t i) { return static_cast<std::int64_t>(state.guard.at(i)); };
  return {state.guard.at(0), state.guard.at(1), count(2), count(3), count(4)};
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

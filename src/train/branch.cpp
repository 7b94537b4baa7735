#include "train/branch.h"

#include <algorithm>

#include "checkpoint/model.h"
#include "core/error.h"
#include "core/log.h"
#include "data/mixture.h"
#include "train/run_state.h"

namespace fathom {
namespace {

// The reading of this very text, in windows of this length; null when it was not read.
template <class Readings>
auto* reading_of(Readings& readings, const std::string& name, std::uint64_t content,
                 std::int64_t sequence_length) {
  const auto same = std::ranges::find_if(readings, [&](const SourceReading& reading) {
    return reading.name == name && reading.content == content &&
           reading.sequence_length == sequence_length;
  });
  return same == readings.end() ? nullptr : &*same;
}

// Names of sources that are read as if nothing of them had been read.
std::vector<std::string> read_from_beginning(const DataConfig& data) {
  std::vector<std::string> names;
  for (const DataSourceConfig& source : data.sources) {
    if (source.from_beginning) names.push_back(source.name);
  }
  return names;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

// Adds what samples [begin, end) read of these sources.
void add_readings(const std::vector<SourceState>& sources, std::int64_t begin, std::int64_t end,
                  std::int64_t sequence_length, std::vector<SourceReading>& readings) {
  std::vector<double> weights;
  for (const SourceState& source : sources) weights.push_back(source.weight);
  const Mixture mixture(weights);
  for (int i = 0; i < static_cast<int>(sources.size()); ++i) {
    const SourceState& source = sources[static_cast<std::size_t>(i)];
    const std::int64_t windows = mixture.turns_before(i, end) - mixture.turns_before(i, begin);
    if (windows == 0) continue;
    SourceReading* before = reading_of(readings, source.name, source.content, sequence_length);
    if (!before) {
      readings.push_back({source.name, source.content, sequence_length, 0});
      before = &readings.back();
    }
    before->windows += windows;
  }
}

// Those of all phases, each once.
std::vector<SourceState> all_sources(const DataState& data) {
  std::vector<SourceState> all = data.sources;
  for (const PhaseState& phase : data.phases) {
    for (const SourceState& source : phase.sources) {
      if (std::ranges::find(all, source.name, &SourceState::name) == all.end()) {
        all.push_back(source);
      }
    }
  }
  return all;
}

// Of the samples from data.next_sample on, until a phase begins behind it.
struct PresentMix {
  std::uint64_t sample_order;
  const std::vector<SourceState>& sources;
  bool operator==(const PresentMix& other) const {
    return sample_order == other.sample_order && sources == other.sources;
  }
};
PresentMix present_mix(const DataState& data) {
  const auto to_come =
      std::ranges::upper_bound(data.phases, data.next_sample, {}, &PhaseState::first_sample);
  if (to_come == data.phases.begin()) return {data.sample_order, data.sources};
  const PhaseState& now = *(to_come - 1);
  return {now.sample_order, now.sources};
}

BranchState branch_at(const SavedState& saved, const DataConfig& data) {
  const auto& [directory, state] = saved;
  if (!state.data || !state.guard) {
    fail_input(
        "{0}: holds weights, but no state of a run to continue: begin a run with them: "
        "--set init_from={0}",
        directory);
  }
  if (state.objective != NextTokenPrediction::objective_name) {
    fail_input(
        "{0}: its run had the objective '{1}', and only pre-training is continued: begin a run "
        "with "
        "its weights: --set init_from={0}",
        directory, state.objective);
  }
  if (state.data->sources.empty()) {
    fail_input(
        "{0}: an older checkpoint, which does not say what its run has read: begin a run with its "
        "weights: --set init_from={0}",
        directory);
  }
  BranchState branch{directory,
                     state.step,
                     state.tokens,
                     state.data->next_sample,
                     state.schedule.warmup,
                     readings_until(state)};
  const std::vector<std::string> again = read_from_beginning(data);
  std::erase_if(branch.read,
                [&](const SourceReading& reading) { return contains(again, reading.name); });
  return branch;
}

[[noreturn]] void refuse(const BranchState& branch, const std::string& why) {
  fail_input("{}: cannot be continued: {}", branch.checkpoint, why);
}

constexpr const char* begin_anew =
    "or list it in [[data.sources]] with from_beginning = true to read it from its beginning";

// A source that is not the same as one that was read must be wholly another.
void require_other_text(const BranchState& branch, const SourceState& source,
                        std::int64_t sequence_length) {
  for (const SourceReading& reading : branch.read) {
    const bool same_name = reading.name == source.name;
    const bool same_content = reading.content == source.content;
    if (same_name && same_content) {
      refuse(
          branch,
          fmt::format("source '{}' was read in sequences of {} tokens, and train.sequence_length "
                      "is {}, so what is left of it cannot be told: restore the length, {}",
                      source.name, reading.sequence_length, sequence_length, begin_anew));
    }
    if (same_name) {
      refuse(branch,
             fmt::format("source '{}' is other text than what was read under this name, so what is "
                         "left of it cannot be told: restore it, name the other text differently, "
                         "{}",
                         source.name, begin_anew));
    }
    if (same_content) {
      refuse(branch, fmt::format("source '{}' is the text that was read as '{}': name it so, {}",
                                 source.name, reading.name, begin_anew));
    }
  }
}

}  // namespace

RunBeginning find_beginning(TrainConfig& config, const std::string& resume, Communicator& world) {
  RunBeginning beginning;
  std::optional<SavedState> resumed;
  if (resume != "none") {
    resumed = newest_state(resume == "auto" ? config.output + "/checkpoints" : resume, world);
  }
  std::optional<BranchState>& branch = beginning.branch;
  if (resumed) {
    const TrainingState& state = resumed->state;
    branch = state.branch;
    if (state.data) beginning.origin = {position_in(state), state.data->phases};
    if (!branch && !config.continue_from.empty()) {
      fail_input(
          "continue_from: {} is of a run that continues no other: choose another output for the "
          "run that continues {}, or leave continue_from out to resume",
          resumed->directory, config.continue_from);
    }
  } else if (!config.continue_from.empty()) {
    branch = branch_at(named_state(config.continue_from, world), config.data);
  }
  if (branch) config.continue_from = branch->checkpoint;
  return beginning;
}

std::vector<SourceReading> readings_until(const TrainingState& state) {
  const DataState& data = state.data.value();
  std::vector<SourceReading> readings;
  if (state.branch) readings = state.branch->read;
  std::int64_t begin = state.branch ? state.branch->next_sample : 0;
  const std::vector<SourceState>* sources = &data.sources;
  for (const PhaseState& phase : data.phases) {
    add_readings(*sources, begin, phase.first_sample, data.sequence_length, readings);
    begin = phase.first_sample;
    sources = &phase.sources;
  }
  add_readings(*sources, begin, data.next_sample, data.sequence_length, readings);
  return readings;
}

SamplerStart sampler_start(const TrainPlan& plan, const PreparedData& data) {
  if (!plan.branch) return {};
  SamplerStart start{plan.branch->next_sample, {}};
  for (const PreparedSource& source : data.sources) {
    const SourceReading* before = reading_of(
        plan.branch->read, source.name, source.train.checksum(), plan.config.train.sequence_length);
    start.read.push_back(before ? before->windows : 0);
  }
  return start;
}

void require_continuable(const Checkpoint& checkpoint, const RunIdentity& run,
                         const TrainPlan& plan) {
  const BranchState& branch = plan.branch.value();
  const TrainingState& saved = checkpoint.state();
  if (saved.tokenizer_hash != run.tokenizer_hash) {
    refuse(branch, fmt::format("it was made with tokenizer {}, but the data with {}: prepare the "
                               "data with the same one",
                               saved.tokenizer_hash, run.tokenizer_hash));
  }
  if (saved.seed != run.seed) {
    refuse(branch, fmt::format("the seed is {}, and was {}: it orders what is left to read",
                               run.seed, saved.seed));
  }
  require_model(checkpoint, plan.config.model);
  if (!checkpoint.has(StateKind::first_moment) || !checkpoint.has(StateKind::second_moment)) {
    refuse(branch, fmt::format("it lacks moments of the optimizer: begin a run with its weights: "
                               "--set init_from={}",
                               branch.checkpoint));
  }
  const std::vector<std::string> again = read_from_beginning(plan.config.data);
  for (const SourceState& source : all_sources(run.data)) {
    if (contains(again, source.name)) continue;
    if (!reading_of(branch.read, source.name, source.content, run.data.sequence_length)) {
      require_other_text(branch, source, run.data.sequence_length);
    }
  }
  if (plan.finished(position_in(saved))) {
    refuse(branch,
           fmt::format("its {} steps and {} tokens are all that this run is to have: raise "
                       "train.tokens (steps, epochs, max_minutes), which count from the beginning "
                       "of the first run",
                       saved.step, saved.tokens));
  }
}

SpikeGuard::State guard_after(const TrainingState& state, const RunIdentity& run) {
  const SpikeGuard::State guard = guard_in(state);
  DataState data = run.data;
  data.next_sample = state.data.value().next_sample;
  return present_mix(data) == present_mix(*state.data) ? guard : SpikeGuard::anew(guard);
}

void log_branch(const TrainingState& state, const RunIdentity& run, const TrainPlan& plan) {
  const BranchState& branch = plan.branch.value();
  log::info("continuing {} at step {}, after {} tokens", branch.checkpoint, branch.step,
            branch.tokens);
  const std::int64_t length = run.data.sequence_length;
  for (const SourceState& source : all_sources(run.data)) {
    const SourceReading* before = reading_of(branch.read, source.name, source.content, length);
    const auto windows = static_cast<double>(source.tokens / length);
    log::info("source '{}': {:.3f} epochs were read before", source.name,
              before ? static_cast<double>(before->windows) / windows : 0);
  }
  const double decay = plan.schedule_factors(position_in(state)).decay;
  if (state.schedule.decay < decay) {
    log::warning(
        "the learning rate had fallen to {:.1f} % of its peak there and now rises to {:.1f} %: "
        "better continue a checkpoint of the first phase",
        100 * state.schedule.decay, 100 * decay);
  }
}

}  // namespace fathom

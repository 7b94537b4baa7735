#include "train/run_identity.h"

#include <algorithm>
#include <limits>

#include "checkpoint/model.h"
#include "core/error.h"
#include "io/checksum.h"
#include "train/data_phases.h"

namespace fathom {
namespace {

// What differs between a source of the checkpoint and the one of the same name now; empty when
// nothing does. Weights count by their ratios, which the sample order covers.
std::string difference(const SourceState& saved, const SourceState& now) {
  if (saved.tokens != now.tokens || saved.documents != now.documents) {
    return fmt::format(
        "source '{}' has {} tokens in {} documents for training, and had {} tokens in {} documents",
        now.name, now.tokens, now.documents, saved.tokens, saved.documents);
  }
  if (saved.content != now.content) {
    return fmt::format(
        "source '{}' has as many documents and tokens as before, but other text or another order "
        "(checksum {}, before {})",
        now.name, checksum_text(now.content), checksum_text(saved.content));
  }
  return "";
}

std::string difference(const std::vector<SourceState>& saved, const std::vector<SourceState>& now) {
  for (const SourceState& source : saved) {
    const auto same = std::ranges::find(now, source.name, &SourceState::name);
    if (same == now.end()) return fmt::format("source '{}' is missing", source.name);
    if (std::string text = difference(source, *same); !text.empty()) return text;
  }
  for (const SourceState& source : now) {
    if (std::ranges::find(saved, source.name, &SourceState::name) == saved.end()) {
      return fmt::format("source '{}' is new", source.name);
    }
  }
  return "";
}

// Text for people of why the order of the samples is another one.
std::string reason(const DataState& saved, const DataState& now) {
  if (saved.sources.empty()) {
    return "the data, the weights of its sources, train.sequence_length or "
           "data.attention_within_documents differ";
  }
  if (saved.sequence_length != now.sequence_length) {
    return fmt::format("train.sequence_length is {}, and was {}", now.sequence_length,
                       saved.sequence_length);
  }
  if (saved.attention_within_documents != now.attention_within_documents) {
    return fmt::format("data.attention_within_documents is {}, and was {}",
                       now.attention_within_documents, saved.attention_within_documents);
  }
  std::string text = difference(saved.sources, now.sources);
  return text.empty() ? "the order or the weights of the data's sources differ" : text;
}

std::vector<SourceState> sources_of(const PreparedData& data, const MixPhase& mix) {
  std::vector<SourceState> sources;
  for (std::size_t s = 0; s < data.sources.size(); ++s) {
    if (mix.weights[s] == 0) continue;
    const PreparedSource& source = data.sources[s];
    const ShardCounts& counts = source.train.counts();
    sources.push_back(
        {source.name, mix.weights[s], counts.tokens, counts.documents, source.train.checksum()});
  }
  return sources;
}

bool same_mix(const PhaseState& saved, const PhaseState& now) {
  return saved.sample_order == now.sample_order && difference(saved.sources, now.sources).empty();
}

// Text for people of how the phases of the data until the checkpoint differ; empty when they do
// not. Those to come may: nothing of them was trained.
std::string past_difference(const TrainingState& saved, const DataState& now) {
  const DataState& data = saved.data.value();
  const auto tokens_before = [&](std::int64_t sample) {
    return saved.tokens - (data.next_sample - sample) * now.sequence_length;
  };
  constexpr std::int64_t none = std::numeric_limits<std::int64_t>::max();
  const auto begin = [](const std::vector<PhaseState>& phases, std::size_t i) {
    return i < phases.size() ? phases[i].first_sample : none;
  };
  for (std::size_t i = 0;; ++i) {
    const std::int64_t before = begin(data.phases, i), after = begin(now.phases, i);
    if (std::min(before, after) >= data.next_sample) return "";
    if (after < before) {
      return fmt::format(
          "data.phases has a phase that begins after {} tokens, of {} that were trained without "
          "it; a phase may only begin where nothing is trained yet",
          tokens_before(after), saved.tokens);
    }
    if (before < after) {
      return fmt::format(
          "the weights of its sources changed after {0} tokens, and no phase of data.phases begins "
          "there (begin_tokens = {0}); phases may only change where nothing is trained yet, after "
          "{1} tokens",
          tokens_before(before), saved.tokens);
    }
    if (same_mix(data.phases[i], now.phases[i])) continue;
    const std::string text = difference(data.phases[i].sources, now.phases[i].sources);
    return fmt::format("in the phase of data.phases that began after {} tokens {}",
                       tokens_before(before), text.empty() ? "the weights differ" : text);
  }
}

[[noreturn]] void refuse(const Checkpoint& checkpoint, const std::string& why) {
  const bool continuable = checkpoint.state().objective == NextTokenPrediction::objective_name;
  fail_input(
      "{0}: this run would not see the data that the checkpoint was trained on: {1}. Restore it, "
      "or choose another output for a run of its own: {2}--set init_from={0} takes the weights",
      checkpoint.directory(), why,
      continuable
          ? fmt::format("--set continue_from={} goes on with other data, ", checkpoint.directory())
          : "");
}

}  // namespace

RunTokenizer run_tokenizer(const PreparedData& data) {
  return {data.directory + "/tokenizer.json", checksum_text(data.tokenizer_hash), {data.eos}, {}};
}

RunIdentity identity_of(const TrainConfig& config, const RunTokenizer& tokenizer,
                        const BatchSource& source, const Objective& objective) {
  RunIdentity run;
  run.seed = static_cast<std::uint64_t>(config.seed);
  run.tokenizer_hash = tokenizer.hash;
  run.objective = objective.name();
  run.data.sample_order = source.fingerprint();
  run.data.sequence_length = source.sequence_length();
  return run;
}

RunIdentity identity_of(const TrainPlan& plan, const PreparedData& data, const Sampler& sampler,
                        const Objective& objective) {
  RunIdentity run = identity_of(plan.config, run_tokenizer(data), sampler, objective);
  run.data.attention_within_documents = plan.config.data.attention_within_documents;
  run.data.sources = sources_of(data, sampler.mix(0));
  // Those that began before the sampler's start are its first mix.
  const std::vector<PhaseBegin> begins = phase_begins(plan);
  const std::size_t earlier = begins.size() + 1 - sampler.num_mixes();
  for (std::size_t i = 1; i < sampler.num_mixes(); ++i) {
    const PhaseBegin& begin = begins[earlier + i - 1];
    run.data.phases.push_back(
        {begin.first_sample, begin.step, sampler.fingerprint(i), sources_of(data, sampler.mix(i))});
  }
  return run;
}

void require_same_run(const Checkpoint& checkpoint, const RunIdentity& run,
                      const ModelConfig& model) {
  const TrainingState& saved = checkpoint.state();
  if (!saved.data || !saved.guard) {
    fail_input(
        "{0}: holds weights, but no state of a run to resume: start from it with "
        "--set init_from={0}",
        checkpoint.directory());
  }
  if (saved.objective != run.objective) {
    fail_input(
        "{0}: its run had the objective '{1}', and this one has '{2}': resume it by the command "
        "that made it, or take the weights into a run of its own with another output",
        checkpoint.directory(), saved.objective, run.objective);
  }
  if (saved.tokenizer_hash != run.tokenizer_hash) {
    fail_input(
        "{}: made with tokenizer {}, but the data with {}: use the data it began with, or "
        "--resume none with another output",
        checkpoint.directory(), saved.tokenizer_hash, run.tokenizer_hash);
  }
  if (saved.seed != run.seed) {
    refuse(checkpoint, fmt::format("the seed is {}, and was {}", run.seed, saved.seed));
  }
  const auto content = [](const std::vector<SourceState>& sources) {
    std::vector<std::uint64_t> checksums;
    for (const SourceState& source : sources) checksums.push_back(source.content);
    return checksums;
  };
  const bool other_content =
      knows_content(checkpoint) && content(saved.data->sources) != content(run.data.sources);
  if (saved.data->sample_order != run.data.sample_order || other_content) {
    refuse(checkpoint, reason(*saved.data, run.data));
  }
  if (const std::string text = past_difference(saved, run.data); !text.empty()) {
    refuse(checkpoint, text);
  }
  require_model(checkpoint, model);
}

bool knows_content(const Checkpoint& checkpoint) {
  const TrainingState& state = checkpoint.state();
  return state.data && !state.data->sources.empty();
}

}  // namespace fathom

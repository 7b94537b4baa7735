#include "train/reading_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "core/error.h"
#include "core/progress.h"
#include "data/reading_table.h"
#include "train/data_phases.h"

namespace fathom {
namespace {

using Windows = std::vector<std::int64_t>;  // [sources]

Windows operator-(Windows a, const Windows& b) {
  std::ranges::transform(a, b, a.begin(), std::minus{});
  return a;
}

std::string tokens_of(const TrainPlan& plan, std::int64_t samples) {
  return human_count(static_cast<double>(samples * plan.config.train.sequence_length));
}

// Of sources of which nothing is read nothing is said.
std::string table_of(const TrainPlan& plan, const PreparedData& data, const Windows& read,
                     const Windows& before) {
  const auto length = static_cast<double>(plan.config.train.sequence_length);
  const auto all = static_cast<double>(std::accumulate(read.begin(), read.end(), std::int64_t{0}));
  std::vector<SourceShare> shares;
  for (std::size_t s = 0; s < read.size(); ++s) {
    if (read[s] == 0) continue;
    SourceShare share{data.sources[s].name, double(data.sources[s].train.tokens()),
                      double(read[s]) / all, double(read[s]) * length};
    if (before[s] > 0) {
      share.note = fmt::format(" ({:.3f} before)", double(before[s]) * length / share.tokens);
    }
    shares.push_back(std::move(share));
  }
  return reading_table(shares, "  ");
}

// Of a mix whose end is not known.
std::string shares_of(const PreparedData& data, const MixPhase& mix) {
  const double all = std::accumulate(mix.weights.begin(), mix.weights.end(), 0.0);
  std::vector<SourceShare> shares;
  for (std::size_t s = 0; s < mix.weights.size(); ++s) {
    if (mix.weights[s] == 0) continue;
    shares.push_back({data.sources[s].name, double(data.sources[s].train.tokens()),
                      mix.weights[s] / all, std::nullopt});
  }
  return reading_table(shares, "  ");
}

std::string mix_text(const TrainPlan& plan, const PreparedData& data, const Sampler& sampler,
                     std::size_t mix, std::int64_t end) {
  const std::int64_t first = sampler.mix(mix).first_sample;
  const std::string begin =
      mix == 0 ? "from the start"
               : fmt::format("from {} tokens on",
                             human_count(static_cast<double>(tokens_before(plan, first))));
  if (end == 0) return fmt::format("{}:\n{}", begin, shares_of(data, sampler.mix(mix)));
  const Windows read = sampler.windows_read(end) - sampler.windows_read(first);
  return fmt::format("{}, {} tokens:\n{}", begin, tokens_of(plan, end - first),
                     table_of(plan, data, read, Windows(read.size(), 0)));
}

constexpr double usual_epochs = 4;  // Muennighoff et al., arXiv 2305.16264: up to 4 cost little

std::optional<double> limit_of(const DataConfig& config, const std::string& source) {
  const auto own = std::ranges::find(config.sources, source, &DataSourceConfig::name);
  if (own != config.sources.end() && own->max_epochs) return own->max_epochs;
  return config.max_epochs;
}

}  // namespace

std::string reading_plan(const TrainPlan& plan, const PreparedData& data, const Sampler& sampler) {
  const std::int64_t end = end_sample(plan), first = sampler.mix(0).first_sample;
  std::string text = "what is read, ";
  const std::size_t mixes = sampler.num_mixes();
  for (std::size_t i = 0; i < mixes; ++i) {
    text += mix_text(plan, data, sampler, i, i + 1 < mixes ? sampler.mix(i + 1).first_sample : end);
  }
  const Windows before = sampler.windows_read(first);
  const bool goes_on = std::ranges::any_of(before, [](std::int64_t n) { return n > 0; });
  if (end > 0 && (mixes > 1 || goes_on)) {
    text += fmt::format("in all, {} tokens:\n{}", tokens_of(plan, end - first),
                        table_of(plan, data, sampler.windows_read(end) - before, before));
  }
  text.pop_back();  // the last line break
  return text;
}

std::vector<std::string> check_repetition(const TrainPlan& plan, const PreparedData& data,
                                          const Sampler& sampler) {
  const std::int64_t end = end_sample(plan);
  std::vector<std::string> warnings;
  if (end == 0) {
    if (!has_max_epochs(plan.config.data)) return warnings;
    fail_input(
        "data.max_epochs: only train.max_minutes limits the run, and how often it reads a source "
        "in that time is not known: set train.tokens, epochs or steps, too");
  }
  const Windows read = sampler.windows_read(end);
  // A run ends with a whole step.
  const std::int64_t last_step =
      std::max(sampler.mix(0).first_sample, end - plan.config.train.global_batch);
  const Windows spare = read - sampler.windows_read(last_step);
  for (std::size_t s = 0; s < read.size(); ++s) {
    const std::string& name = data.sources[s].name;
    const std::optional<double> limit = limit_of(plan.config.data, name);
    const auto windows = static_cast<double>(sampler.windows(static_cast<int>(s)));
    const double most = limit.value_or(usual_epochs) * windows + double(spare[s] + 1);
    if (static_cast<double>(read[s]) <= most) continue;
    const std::string much =
        fmt::format("source '{}' is read {:.2f} times", name, double(read[s]) / windows);
    if (limit) {
      fail_input(
          "data.max_epochs: {} in all, and its limit is {}: lower its weight, add data, or "
          "shorten the run (`fathom data mix` finds weights that keep to limits)",
          much, *limit);
    }
    warnings.push_back(fmt::format(
        "{}: beyond about {} times text teaches little more (arXiv 2305.16264); data.max_epochs "
        "sets a limit",
        much, usual_epochs));
  }
  return warnings;
}

}  // namespace fathom

#include "data/mix_phases.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace fathom {
namespace {

std::size_t source_index(const PreparedData& data, const std::string& name,
                         const MixPhaseConfig& phase) {
  const auto found = std::ranges::find(data.sources, name, &PreparedSource::name);
  if (found != data.sources.end()) return static_cast<std::size_t>(found - data.sources.begin());
  std::vector<std::string> names;
  for (const PreparedSource& source : data.sources) names.push_back(source.name);
  const std::string guess = nearest(name, names);
  fail_input("{}: the run has no source '{}'; {}", description(phase), name,
             guess.empty() ? fmt::format("it has {}", fmt::join(names, ", "))
                           : fmt::format("did you mean '{}'?", guess));
}

void set_weights(const PreparedData& data, const MixPhaseConfig& phase,
                 std::vector<double>& weights) {
  if (phase.weights.empty()) {
    fail_input(
        "{}: it has no weights: name the sources whose weight changes, as in weights = {{ "
        "{} = 2 }}",
        description(phase), data.sources.front().name);
  }
  for (const auto& [name, weight] : phase.weights) {
    if (!std::isfinite(weight) || weight < 0) {
      fail_input("{}: source '{}' has the weight {}; it must be 0 or more", description(phase),
                 name, weight);
    }
    weights[source_index(data, name, phase)] = weight;
  }
  if (std::ranges::none_of(weights, [](double weight) { return weight > 0; })) {
    fail_input("{}: no source has a weight above 0", description(phase));
  }
}

}  // namespace

std::string description(const MixPhaseConfig& phase) {
  const std::string begin = phase.begin_share ? fmt::format("begin_share = {}", *phase.begin_share)
                            : phase.begin_tokens
                                ? fmt::format("begin_tokens = {}", *phase.begin_tokens)
                            : phase.begin_step ? fmt::format("begin_step = {}", *phase.begin_step)
                                               : "no begin";
  return "data.phases: the phase with " + begin;
}

std::vector<std::vector<double>> phase_weights(const PreparedData& data,
                                               std::span<const MixPhaseConfig> phases) {
  std::vector<double> weights;
  for (const PreparedSource& source : data.sources) weights.push_back(source.weight);
  std::vector<std::vector<double>> all;
  for (const MixPhaseConfig& phase : phases) {
    set_weights(data, phase, weights);
    all.push_back(weights);
  }
  return all;
}

}  // namespace fathom

#include "infer/logit_changes.h"

#include <algorithm>
#include <limits>

namespace fathom::infer {

ops::LogitChange* LogitChanges::at(std::int32_t token) {
  if (token < 0 || static_cast<std::size_t>(token) >= places_.size()) return nullptr;
  std::int32_t& place = places_[static_cast<std::size_t>(token)];
  if (place == 0) {
    changes_.push_back({token});
    place = static_cast<std::int32_t>(changes_.size());
  }
  return &changes_[static_cast<std::size_t>(place - 1)];
}

std::span<const ops::LogitChange> LogitChanges::of(std::span<const std::int32_t> history,
                                              const SamplingOptions& options,
                                              const SequenceState& state, std::int64_t vocabulary) {
  // The places in use are cleared, not all of them: there are as many as tokens.
  for (const ops::LogitChange& change : changes_) places_[static_cast<std::size_t>(change.token)] = 0;
  changes_.clear();
  places_.resize(static_cast<std::size_t>(vocabulary), 0);
  const bool counts = options.presence_penalty != 0 || options.frequency_penalty != 0;
  if (counts) {
    const auto prompt = static_cast<std::size_t>(state.prompt_length);
    for (const std::int32_t token : history.subspan(std::min(prompt, history.size()))) {
      const std::size_t before = changes_.size();
      ops::LogitChange* change = at(token);
      if (!change) continue;
      if (changes_.size() > before) change->bias = -static_cast<float>(options.presence_penalty);
      change->bias -= static_cast<float>(options.frequency_penalty);
    }
  }
  if (options.repetition_penalty != 1) {
    for (const std::int32_t token : history) {
      if (ops::LogitChange* change = at(token)) {
        change->penalty = static_cast<float>(options.repetition_penalty);
      }
    }
  }
  for (const LogitBias& bias : options.logit_bias) {
    if (ops::LogitChange* change = at(bias.token)) change->bias += bias.bias;
  }
  for (const std::int32_t token : state.banned) {
    if (ops::LogitChange* change = at(token)) change->bias = -std::numeric_limits<float>::infinity();
  }
  return changes_;
}

}  // namespace fathom::infer

#include "infer/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/philox.h"

namespace fathom::infer {
namespace {

bool likelier(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

}  // namespace

void check(const SamplingOptions& o) {
  if (!(o.temperature >= 0)) {
    fail_input("temperature is {}: use 0 (greedy) or a positive number", o.temperature);
  }
  if (o.top_k < 0) fail_input("top_k is {}: use 0 (all tokens) or a positive number", o.top_k);
  if (!(o.top_p > 0 && o.top_p <= 1)) {
    fail_input("top_p is {}: use a number above 0 and at most 1", o.top_p);
  }
  if (!(o.min_p >= 0 && o.min_p <= 1)) {
    fail_input("min_p is {}: use a number from 0 to 1", o.min_p);
  }
  // Beyond these a penalty alone could make a logit infinite.
  if (!(o.repetition_penalty >= 1e-3 && o.repetition_penalty <= 1e3)) {
    fail_input("repetition_penalty is {}: use 1 (off) or another number from 0.001 to 1000",
               o.repetition_penalty);
  }
  for (const auto& [name, penalty] : {std::pair("presence_penalty", o.presence_penalty),
                                      std::pair("frequency_penalty", o.frequency_penalty)}) {
    if (!(penalty >= -2 && penalty <= 2)) {
      fail_input("{} is {}: use a number from -2 to 2", name, penalty);
    }
  }
  if (std::ssize(o.logit_bias) > most_logit_biases) {
    fail_input("logit_bias has {} tokens: use at most {}", o.logit_bias.size(), most_logit_biases);
  }
  for (const LogitBias& bias : o.logit_bias) {
    if (!(bias.bias >= -100 && bias.bias <= 100)) {
      fail_input("logit_bias of token {} is {}: use a number from -100 to 100", bias.token,
                 bias.bias);
    }
  }
}

void TokenSampler::prepare(std::span<const float> logits, std::span<const std::int32_t> history,
                           const SamplingOptions& options, const SequenceState& state) {
  logits_.assign(logits.begin(), logits.end());
  for (const ops::LogitChange& change : changes_.of(history, options, state, std::ssize(logits))) {
    float& x = logits_[static_cast<std::size_t>(change.token)];
    x = change.bias + (x < 0 ? x * change.penalty : x / change.penalty);
  }
  for (const std::int32_t token : masked_tokens_) {
    logits_.at(static_cast<std::size_t>(token)) = -std::numeric_limits<float>::infinity();
  }
}

std::int32_t TokenSampler::argmax() const {
  constexpr float lowest = -std::numeric_limits<float>::infinity();
  float best = lowest;
  std::size_t at = 0;
  for (std::size_t i = 0; i < logits_.size(); ++i) {
    if (logits_[i] > best) {
      best = logits_[i];
      at = i;
    }
  }
  require(std::isfinite(best), "no logit is a finite number: the model's weights are damaged");
  return static_cast<std::int32_t>(at);
}

void TokenSampler::keep_top_k(std::int64_t k) {
  if (k == 0 || k >= static_cast<std::int64_t>(candidates_.size())) return;
  std::nth_element(candidates_.begin(), candidates_.begin() + (k - 1), candidates_.end(), likelier);
  candidates_.resize(static_cast<std::size_t>(k));
}

// Softmax over the candidates, in their order. Differences are divided by the temperature,
// not logits, so that none overflows however low it is.
void TokenSampler::set_probabilities(double temperature) {
  const float highest = std::ranges::max(candidates_, {}, &Candidate::logit).logit;
  require(std::isfinite(highest), "a logit is infinite: the model's weights are damaged");
  double sum = 0;
  for (Candidate& c : candidates_) {
    sum += c.probability = std::exp((double{c.logit} - highest) / temperature);
  }
  for (Candidate& c : candidates_) c.probability /= sum;
}

// Keeps a candidate if the likelier ones together have not reached p; always keeps the
// first. All candidates below (1 - p) / n together weigh less than 1 - p, so none of them
// is kept, and only the others are sorted.
void TokenSampler::keep_top_p(double p) {
  const double negligible = (1 - p) / static_cast<double>(candidates_.size());
  std::erase_if(candidates_, [&](const Candidate& c) { return c.probability < negligible; });
  std::sort(candidates_.begin(), candidates_.end(), likelier);
  if (p >= 1) return;
  double before = 0;
  std::size_t kept = 0;
  while (kept < candidates_.size() && (kept == 0 || before < p)) {
    before += candidates_[kept++].probability;
  }
  candidates_.resize(kept);
}

std::span<const Candidate> TokenSampler::distribution(std::span<const float> logits,
                                                      std::span<const std::int32_t> history,
                                                      const SamplingOptions& options,
                                                      const SequenceState& state) {
  prepare(logits, history, options, state);
  candidates_.clear();
  if (options.temperature == 0) {
    const std::int32_t token = argmax();
    candidates_.push_back({token, logits_[static_cast<std::size_t>(token)], 1.0});
    return candidates_;
  }
  for (std::size_t i = 0; i < logits_.size(); ++i) {
    if (!(logits_[i] > -std::numeric_limits<float>::infinity())) continue;  // NaN is skipped too
    candidates_.push_back({static_cast<std::int32_t>(i), logits_[i], 0.0});
  }
  require(!candidates_.empty(), "no logit is a finite number: the model's weights are damaged");
  keep_top_k(options.top_k);
  set_probabilities(options.temperature);
  if (options.top_k == 0 && options.top_p >= 1 && options.min_p == 0) return candidates_;
  keep_top_p(options.top_p);
  const double least = options.min_p * candidates_.front().probability;
  std::erase_if(candidates_, [&](const Candidate& c) { return c.probability < least; });
  set_probabilities(options.temperature);
  return candidates_;
}

std::int32_t TokenSampler::sample(std::span<const float> logits,
                                  std::span<const std::int32_t> history,
                                  const SamplingOptions& options, const SequenceState& state) {
  const std::span<const Candidate> candidates = distribution(logits, history, options, state);
  const double u = Philox{options.seed, options.stream}.uniform(history.size());
  double cumulative = 0;
  for (const Candidate& c : candidates) {
    cumulative += c.probability;
    if (u < cumulative) return c.token;
  }
  return candidates.back().token;  // rounding left the sum below u
}

}  // namespace fathom::infer

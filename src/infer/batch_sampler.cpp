#include "infer/batch_sampler.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/parallel.h"

namespace fathom::infer {
namespace {

// ln Σ exp(logit), in double: a vocabulary has 10^5 terms.
double log_sum_exp(std::span<const float> logits) {
  float highest = -INFINITY;
  for (const float logit : logits) highest = std::max(highest, logit);
  require(std::isfinite(highest), "no logit is a finite number: the model's weights are damaged");
  double sum = 0;
  for (const float logit : logits) {
    if (logit > -INFINITY) sum += std::exp(double{logit} - highest);  // NaN is skipped too
  }
  return highest + std::log(sum);
}

}  // namespace

float log_probability(std::span<const float> logits, std::int32_t token) {
  const double logit = logits[static_cast<std::size_t>(token)];
  return static_cast<float>(logit - log_sum_exp(logits));
}

std::vector<TokenLogProbability> likeliest_tokens(std::span<const float> logits, std::int64_t count,
                                                  std::span<const std::int32_t> masked_tokens) {
  const double normalizer = log_sum_exp(logits);
  std::vector<TokenLogProbability> tokens;
  auto masked = masked_tokens.begin();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    if (masked != masked_tokens.end() && *masked == id) {
      ++masked;
    } else if (!std::isnan(logits[i])) {
      tokens.push_back({id, static_cast<float>(double{logits[i]} - normalizer)});
    }
  }
  const auto likelier = [&](const TokenLogProbability& a, const TokenLogProbability& b) {
    const float x = logits[static_cast<std::size_t>(a.token)];
    const float y = logits[static_cast<std::size_t>(b.token)];
    return x != y ? x > y : a.token < b.token;
  };
  const std::int64_t kept = std::min(count, std::ssize(tokens));
  std::partial_sort(tokens.begin(), tokens.begin() + kept, tokens.end(), likelier);
  tokens.resize(static_cast<std::size_t>(kept));
  return tokens;
}

BatchSampler::BatchSampler(Device device, std::int64_t max_rows, std::int64_t vocabulary,
                           std::vector<std::int32_t> masked_tokens)
    : vocabulary_(static_cast<std::size_t>(vocabulary)), masked_tokens_(std::move(masked_tokens)) {
  std::ranges::sort(masked_tokens_);
  if (device.type != DeviceType::cpu) {
    host_logits_.resize(static_cast<std::size_t>(max_rows) * vocabulary_);
  }
  samplers_.resize(static_cast<std::size_t>(num_threads()), TokenSampler(masked_tokens_));
  drawn_.resize(static_cast<std::size_t>(max_rows));
}

void BatchSampler::sample_row(TokenSampler& sampler, std::span<const float> logits,
                              const SamplingRow& row, DrawnToken& drawn) const {
  drawn.token = sampler.sample(logits, row.history, *row.options);
  drawn.log_probability.reset();
  drawn.likeliest.clear();
  if (!row.log_probabilities) return;
  drawn.log_probability = log_probability(logits, drawn.token);
  if (*row.log_probabilities > 0) {
    drawn.likeliest = likeliest_tokens(logits, *row.log_probabilities, masked_tokens_);
  }
}

std::span<const DrawnToken> BatchSampler::sample(Context& context, Tensor logits,
                                                 std::span<const SamplingRow> rows) {
  if (rows.empty()) {
    // Without rows nothing waits for the device, but its errors belong to this step.
    synchronize(context.device, context.stream);
    return {};
  }
  require(rows.size() <= drawn_.size() &&
              logits.shape == Shape{std::ssize(rows), static_cast<std::int64_t>(vocabulary_)} &&
              logits.contiguous(),
          "sampling {} rows from logits {}", rows.size(), to_string(logits));
  const float* values = logits.as<float>();
  if (context.device.type != DeviceType::cpu) {
    copy_bytes(host_logits_.data(), cpu_device, logits.data, context.device, logits.bytes(),
               context.stream);
    values = host_logits_.data();
  }
  synchronize(context.device, context.stream);
  on_each_thread(
      [&](int thread, int threads) {
        const auto step = static_cast<std::size_t>(threads);
        for (auto i = static_cast<std::size_t>(thread); i < rows.size(); i += step) {
          sample_row(samplers_[static_cast<std::size_t>(thread)],
                     {values + i * vocabulary_, vocabulary_}, rows[i], drawn_[i]);
        }
      },
      static_cast<int>(std::min(samplers_.size(), rows.size())));
  return std::span(drawn_).first(rows.size());
}

}  // namespace fathom::infer

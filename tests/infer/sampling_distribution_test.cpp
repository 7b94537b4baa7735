// The distribution that tokens are drawn from, against the exact one: a million draws for each
// filter and for several together, by Pearson's chi-square.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "infer/batch_sampler.h"
#include "infer/tiny_model.h"

namespace fathom::infer {
namespace {

using test::Tokens;

constexpr std::int64_t draws_at_once = 4096, draws_in_all = 245 * draws_at_once;

// Neither ties nor sums near a filter's bound.
const std::vector<float> drawn_logits{0.3f,  1.9f, -0.4f, 2.6f, 0.9f,
                                      -1.6f, 1.4f, -0.1f, 3.1f, 0.6f};
// Two tokens of the prompt, then what was generated.
const Tokens drawn_history{8, 5, 3, 1, 3, 6};
constexpr std::int64_t drawn_prompt = 2;

using Probabilities = std::vector<long double>;

void normalize(Probabilities& p) {
  const long double sum = std::accumulate(p.begin(), p.end(), 0.0L);
  for (long double& x : p) x /= sum;
}

// The logits that penalties and bias leave (SamplingOptions).
std::vector<long double> changed_logits(const SamplingOptions& options) {
  std::vector<long double> logits(drawn_logits.begin(), drawn_logits.end());
  for (std::size_t token = 0; token < logits.size(); ++token) {
    long double& x = logits[token];
    const auto id = static_cast<std::int32_t>(token);
    const auto generated =
        std::count(drawn_history.begin() + drawn_prompt, drawn_history.end(), id);
    const bool seen = std::ranges::find(drawn_history, id) != drawn_history.end();
    if (seen) x = x < 0 ? x * options.repetition_penalty : x / options.repetition_penalty;
    if (generated > 0) x -= options.presence_penalty;
    x -= options.frequency_penalty * static_cast<long double>(generated);
    for (const LogitBias& bias : options.logit_bias) {
      if (bias.token == id) x += bias.bias;
    }
  }
  return logits;
}

// Step by step as sampling.h says, each filter on what the one before has left.
Probabilities exact_probabilities(const SamplingOptions& options) {
  Probabilities p = changed_logits(options);
  for (long double& x : p) x = std::exp(x / options.temperature);
  normalize(p);
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return p[a] > p[b]; });
  const auto keep_first = [&](std::size_t count) {
    for (std::size_t i = count; i < order.size(); ++i) p[order[i]] = 0;
    normalize(p);
  };
  if (options.top_k > 0) keep_first(static_cast<std::size_t>(options.top_k));
  long double sum = 0;
  std::size_t kept = 0;
  while (kept < order.size() && sum < options.top_p) sum += p[order[kept++]];
  if (options.top_p < 1) keep_first(kept);
  const long double least = options.min_p * p[order[0]];
  for (long double& x : p) x = x < least ? 0 : x;
  normalize(p);
  return p;
}

// What is exceeded with a probability of 1e-4, by Wilson and Hilferty's approximation.
double chi_square_bound(double degrees) {
  constexpr double normal_quantile = 3.719;
  const double part = 2 / (9 * degrees);
  return degrees * std::pow(1 - part + normal_quantile * std::sqrt(part), 3);
}

class SamplingDistribution : public testing::TestWithParam<Device> {
 protected:
  // How often each token was drawn.
  std::vector<std::int64_t> drawn_counts(const SamplingOptions& wanted) {
    const auto vocabulary = std::ssize(drawn_logits);
    BatchSampler sampler(GetParam(), {draws_at_once, vocabulary, 20, 0}, {});
    std::vector<float> all;
    for (std::int64_t i = 0; i < draws_at_once; ++i) {
      all.insert(all.end(), drawn_logits.begin(), drawn_logits.end());
    }
    const std::size_t bytes = all.size() * sizeof(float);
    const Buffer logits(GetParam(), bytes);
    std::vector<SamplingOptions> options(draws_at_once, wanted);
    std::vector<SamplingRow> rows;
    for (const SamplingOptions& row : options) {
      rows.push_back({drawn_history, &row, {}, {drawn_prompt, {}}});
    }
    std::vector<std::int64_t> counts(drawn_logits.size());
    for (std::int64_t done = 0; done < draws_in_all; done += draws_at_once) {
      for (std::size_t i = 0; i < options.size(); ++i) {
        options[i].stream = static_cast<std::uint64_t>(done) + i;
      }
      copy_bytes(logits.data(), GetParam(), all.data(), cpu_device, bytes, context_.stream);
      for (const DrawnToken& drawn :
           sampler.sample(context_, logits.tensor(DType::f32, {draws_at_once, vocabulary}), rows)) {
        ++counts[static_cast<std::size_t>(drawn.token)];
      }
    }
    return counts;
  }

  // `kept`: how many tokens the filters leave.
  void expect_exact(const SamplingOptions& options, int kept) {
    const Probabilities exact = exact_probabilities(options);
    ASSERT_EQ(std::ranges::count_if(exact, [](long double p) { return p > 0; }), kept);
    const std::vector<std::int64_t> counts = drawn_counts(options);
    double chi_square = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
      const double mean = static_cast<double>(exact[i] * draws_in_all);
      if (mean == 0) {
        EXPECT_EQ(counts[i], 0) << "token " << i << " was left out";
        continue;
      }
      chi_square +=
          (static_cast<double>(counts[i]) - mean) * (static_cast<double>(counts[i]) - mean) / mean;
    }
    EXPECT_LT(chi_square, chi_square_bound(kept - 1));
  }

  Context context_{GetParam()};
};

std::vector<Device> sampling_devices() {
  std::vector<Device> devices{cpu_device};
  if (cuda::device_count() > 0) devices.push_back({DeviceType::cuda, 0});
  return devices;
}

INSTANTIATE_TEST_SUITE_P(Devices, SamplingDistribution, testing::ValuesIn(sampling_devices()),
                         [](const auto& device) {
                           return device.param.type == DeviceType::cuda ? "cuda" : "cpu";
                         });

SamplingOptions sampling_of(double temperature, std::int64_t top_k = 0, double top_p = 1,
                            double min_p = 0) {
  SamplingOptions options;
  options.seed = 20;
  options.temperature = temperature;
  options.top_k = top_k;
  options.top_p = top_p;
  options.min_p = min_p;
  return options;
}

TEST_P(SamplingDistribution, OfATemperature) {
  expect_exact(sampling_of(0.6), 10);
  expect_exact(sampling_of(1.7), 10);
}

TEST_P(SamplingDistribution, OfEachFilter) {
  expect_exact(sampling_of(1, 4), 4);
  expect_exact(sampling_of(1, 0, 0.8), 4);
  expect_exact(sampling_of(1, 0, 1, 0.1), 5);
}

TEST_P(SamplingDistribution, OfFiltersTogether) {
  expect_exact(sampling_of(1.4, 6, 0.85), 4);
  expect_exact(sampling_of(0.8, 7, 0.95, 0.15), 3);
}

TEST_P(SamplingDistribution, OfPenaltiesAndBias) {
  SamplingOptions options = sampling_of(1);
  options.repetition_penalty = 1.3;
  expect_exact(options, 10);
  options = sampling_of(1);
  options.presence_penalty = 0.7;
  options.frequency_penalty = 0.4;
  expect_exact(options, 10);
  options = sampling_of(1);
  options.logit_bias = {{5, 2.5f}, {8, -1.5f}, {2, -3.0f}};
  expect_exact(options, 10);
}

TEST_P(SamplingDistribution, OfAllTogether) {
  SamplingOptions options = sampling_of(1.2, 7, 0.9, 0.05);
  options.repetition_penalty = 1.2;
  options.presence_penalty = 0.3;
  options.frequency_penalty = 0.2;
  options.logit_bias = {{5, 1.5f}, {3, -0.5f}};
  expect_exact(options, 6);
}

}  // namespace
}  // namespace fathom::infer

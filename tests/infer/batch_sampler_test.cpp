#include "infer/batch_sampler.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/parallel.h"

namespace fathom::infer {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

std::vector<std::int32_t> tokens_of(const std::vector<TokenLogProbability>& likeliest) {
  std::vector<std::int32_t> tokens;
  for (const TokenLogProbability& t : likeliest) tokens.push_back(t.token);
  return tokens;
}

TEST(LogProbability, IsTheLogarithmOfTheSoftmax) {
  const std::vector<float> logits{std::log(1.0f), std::log(2.0f), std::log(5.0f), -infinity, nan};
  EXPECT_NEAR(log_probability(logits, 0), std::log(1.0 / 8), 1e-6);
  EXPECT_NEAR(log_probability(logits, 2), std::log(5.0 / 8), 1e-6);
  EXPECT_EQ(log_probability(logits, 3), -infinity);
  const std::vector<float> large{1000, 1001};
  EXPECT_NEAR(log_probability(large, 0), -std::log1p(std::exp(1.0)), 1e-6);
  EXPECT_THAT(
      [] {
        log_probability(std::vector<float>{nan, -infinity}, 1);
      },
      testing::ThrowsMessage<Error>(testing::HasSubstr("no logit is a finite number")));
}

TEST(LikeliestTokens, AreInOrderWithTiesByIdAndWithoutMaskedOnes) {
  const std::vector<float> logits{1, 3, 3, 9, 2, 8, nan};
  EXPECT_THAT(tokens_of(likeliest_tokens(logits, 3, {})), testing::ElementsAre(3, 5, 1));
  const std::vector<std::int32_t> masked{3, 5};
  const auto three = likeliest_tokens(logits, 3, masked);
  EXPECT_THAT(tokens_of(three), testing::ElementsAre(1, 2, 4));
  // Masked rows count in the sum, as they do in training's loss.
  for (const TokenLogProbability& t : three) {
    EXPECT_FLOAT_EQ(t.log_probability, log_probability(logits, t.token));
  }
  EXPECT_EQ(likeliest_tokens(logits, 100, masked).size(), 4u);
}

// Rows of several sequences, on several threads: each gets its own options and history.
TEST(BatchSampler, TreatsEachRowByItself) {
  constexpr std::int64_t rows = 7, vocabulary = 50;
  set_num_threads(3);
  Context context(cpu_device);
  BatchSampler batch(cpu_device, rows, vocabulary, {49});
  TokenSampler one({49});
  std::vector<float> logits;
  for (int i = 0; i < rows * vocabulary; ++i) logits.push_back(std::sin(float(i) * 1.7f) * 3);
  for (int row = 0; row < rows; ++row) {
    logits[static_cast<std::size_t>(row * vocabulary + 49)] = 100;
  }
  std::vector<std::vector<std::int32_t>> histories(rows);
  std::vector<SamplingOptions> options(rows);
  std::vector<SamplingRow> asked;
  for (std::size_t i = 0; i < rows; ++i) {
    histories[i].assign(i + 1, static_cast<std::int32_t>(i));
    options[i].stream = i;
    options[i].temperature = i % 2 ? 1.0 : 0.0;
    options[i].repetition_penalty = 1.3;
    asked.push_back({histories[i], &options[i],
                     i == 0 ? std::nullopt : std::optional(static_cast<std::int64_t>(i) - 1)});
  }
  const auto drawn =
      batch.sample(context, Tensor(logits.data(), DType::f32, {rows, vocabulary}), asked);
  ASSERT_EQ(drawn.size(), static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < rows; ++i) {
    SCOPED_TRACE(i);
    const std::span<const float> row(logits.data() + i * vocabulary, vocabulary);
    EXPECT_EQ(drawn[i].token, one.sample(row, histories[i], options[i]));
    EXPECT_NE(drawn[i].token, 49);
    EXPECT_EQ(drawn[i].log_probability.has_value(), i > 0);
    if (i == 0) continue;
    EXPECT_FLOAT_EQ(*drawn[i].log_probability, log_probability(row, drawn[i].token));
    const auto likeliest =
        likeliest_tokens(row, static_cast<std::int64_t>(i) - 1, std::vector<std::int32_t>{49});
    EXPECT_EQ(tokens_of(drawn[i].likeliest), tokens_of(likeliest));
  }
}

// A step does not report anything of an earlier one.
TEST(BatchSampler, ForgetsTheLogProbabilitiesOfTheLastStep) {
  Context context(cpu_device);
  BatchSampler batch(cpu_device, 1, 3, {});
  std::vector<float> logits{1, 2, 3};
  const Tensor tensor(logits.data(), DType::f32, {1, 3});
  const SamplingOptions options;
  const std::vector<std::int32_t> history{0};
  const SamplingRow with[] = {{history, &options, 2}}, without[] = {{history, &options, {}}};
  EXPECT_EQ(batch.sample(context, tensor, with)[0].likeliest.size(), 2u);
  const DrawnToken& drawn = batch.sample(context, tensor, without)[0];
  EXPECT_FALSE(drawn.log_probability.has_value());
  EXPECT_TRUE(drawn.likeliest.empty());
}

TEST(BatchSampler, RefusesLogitsOfAnotherShape) {
  Context context(cpu_device);
  BatchSampler batch(cpu_device, 2, 3, {});
  std::vector<float> logits(8);
  const SamplingOptions options;
  const std::vector<std::int32_t> history{0};
  const SamplingRow rows[] = {{history, &options, {}}, {history, &options, {}}};
  EXPECT_THROW(batch.sample(context, Tensor(logits.data(), DType::f32, {2, 4}), rows), Error);
  EXPECT_THROW(batch.sample(context, Tensor(logits.data(), DType::f32, {1, 3}), rows), Error);
  EXPECT_TRUE(batch.sample(context, Tensor(logits.data(), DType::f32, {0, 3}), {}).empty());
}

}  // namespace
}  // namespace fathom::infer

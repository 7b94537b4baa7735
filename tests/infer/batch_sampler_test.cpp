#include "infer/batch_sampler.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/parallel.h"
#include "infer/sampler.h"
#include "infer/tiny_model.h"

namespace fathom::infer {
namespace {

using test::log_probability;

// Rows of several sequences, on several threads: each gets its own options and history.
TEST(BatchSampler, TreatsEachRowByItself) {
  constexpr std::int64_t rows = 7, vocabulary = 50;
  set_num_threads(3);
  Context context(cpu_device);
  BatchSampler batch(cpu_device, {rows, vocabulary, 20, 10}, {49});
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
  std::vector<float> changed = logits;
  const auto drawn =
      batch.sample(context, Tensor(changed.data(), DType::f32, {rows, vocabulary}), asked);
  ASSERT_EQ(drawn.size(), static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < rows; ++i) {
    SCOPED_TRACE(i);
    const std::span<const float> row(logits.data() + i * vocabulary, vocabulary);
    EXPECT_EQ(drawn[i].token, one.sample(row, histories[i], options[i]));
    EXPECT_NE(drawn[i].token, 49);
    EXPECT_EQ(drawn[i].log_probability.has_value(), i > 0);
    if (i == 0) continue;
    EXPECT_FLOAT_EQ(*drawn[i].log_probability, log_probability(row, drawn[i].token));
    ASSERT_EQ(drawn[i].likeliest.size(), i - 1);
    float bound = std::numeric_limits<float>::infinity();
    for (const TokenLogProbability& likely : drawn[i].likeliest) {
      const float logit = row[static_cast<std::size_t>(likely.token)];
      EXPECT_LE(logit, bound);
      bound = logit;
      EXPECT_NE(likely.token, 49);
      EXPECT_FLOAT_EQ(likely.log_probability, log_probability(row, likely.token));
    }
    const auto likelier = std::ranges::count_if(row.first(49), [&](float x) { return x > bound; });
    EXPECT_EQ(likelier, std::max<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(i) - 2, 0));
  }
}

// A step does not report anything of an earlier one.
TEST(BatchSampler, ForgetsTheLogProbabilitiesOfTheLastStep) {
  Context context(cpu_device);
  BatchSampler batch(cpu_device, {1, 3, 5, 3}, {});
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
  BatchSampler batch(cpu_device, {2, 3, 5, 0}, {});
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

#include "scaling/hyperparameters.h"

#include <gtest/gtest.h>

#include "io/temp_dir.h"
#include "scaling/flops.h"
#include "scaling/model_file.h"
#include "scaling/number_text.h"

namespace fathom::scaling {
namespace {

// 2·10^12 tokens of a model of the report.
Hyperparameters of_the_reports(const std::string& name) {
  const ModelConfig model = load_model(FATHOM_SOURCE_DIR "/configs/models/" + name);
  return hyperparameters(deepseek_laws(), 2e12 * model_flops(model, 4096));
}

TEST(Hyperparameters, AreTheReportsAtTheBudgetsOfItsModels) {
  const Hyperparameters small = of_the_reports("deepseek-llm-7b.toml");
  EXPECT_EQ(power_text(small.learning_rate), "4.25e-4");
  EXPECT_EQ(small.batch_sequences(4096), 2252);
  const Hyperparameters large = of_the_reports("deepseek-llm-67b.toml");
  EXPECT_EQ(power_text(large.learning_rate), "3.12e-4");
  EXPECT_EQ(large.batch_sequences(4096), 5043);
}

TEST(Hyperparameters, HaveTheIntervalsOfTheirLaws) {
  Laws laws = deepseek_laws();
  laws.learning_rate->record.draws = {{2, -1}};
  const Hyperparameters h = hyperparameters(laws, 4);
  EXPECT_EQ(h.learning_rate_interval, (Interval{0.5, 0.5}));
  EXPECT_EQ(h.batch_interval, std::nullopt);
}

TEST(Hyperparameters, ABatchIsOneSequenceAtLeast) {
  EXPECT_EQ(hyperparameters(deepseek_laws(), 1e3).batch_sequences(4096), 1);
}

TEST(Hyperparameters, ABatchOfARunDividesWell) {
  EXPECT_EQ(round_batch(2252), 2304);
  EXPECT_EQ(round_batch(5043), 5120);
  EXPECT_EQ(round_batch(100), 100);
  EXPECT_EQ(round_batch(31), 31);
  EXPECT_EQ(round_batch(33), 34);
  for (std::int64_t n = 1; n < 5000; ++n) {
    EXPECT_LE(std::abs(static_cast<double>(round_batch(n) - n)), static_cast<double>(n) / 32) << n;
  }
}

std::string refusal(const Laws& laws, double compute) {
  return test::input_error_of([&] { hyperparameters(laws, compute); });
}

TEST(Hyperparameters, RefuseWhatTheyCannotTell) {
  EXPECT_EQ(refusal(deepseek_laws(), 0),
            "a budget of 0 FLOPs: use a positive number, such as 1e20");
  EXPECT_EQ(refusal(deepseek_laws(), INFINITY),
            "a budget of inf FLOPs: use a positive number, such as 1e20");
  Laws laws = deepseek_laws();
  laws.batch_tokens.reset();
  EXPECT_EQ(refusal(laws, 1e20).substr(0, 37), "deepseek: has no law 'batch_tokens': ");
  EXPECT_EQ(refusal(deepseek_laws(), 1e60).substr(0, 30), "deepseek: for 1e+60 FLOPs its ");
}

TEST(NumberText, HasThreeDigitsAndAPower) {
  EXPECT_EQ(power_text(8.4557e22), "8.46e22");
  EXPECT_EQ(power_text(0.0004246), "4.25e-4");
  EXPECT_EQ(power_text(1), "1.00e0");
  EXPECT_EQ(interval_text(std::nullopt), "");
  EXPECT_EQ(interval_text(Interval{1e-3, 2e3}), "  (95 %: 1.00e-3 to 2.00e3)");
}

}  // namespace
}  // namespace fathom::scaling

#include "scaling/run_laws.h"

#include <gmock/gmock.h>

#include <cmath>

#include "io/temp_dir.h"
#include "scaling/flops.h"
#include "scaling/hyperparameters.h"
#include "scaling/laws_file.h"
#include "train/plan.h"

namespace fathom::scaling {
namespace {

using test::TempDir;

const std::string model = "[model]\nnum_layers = 2\nhidden_size = 64\nnum_heads = 2\n";

TrainConfig load(const std::string& text, std::vector<std::string> overrides = {}) {
  const TempDir dir;
  test::write_file(dir / "run.toml", text);
  return load_config_by_laws(dir / "run.toml", overrides, "none").config;
}

Hyperparameters expected(std::int64_t tokens) {
  ModelConfig shape;
  shape.num_layers = 2;
  shape.hidden_size = 64;
  return hyperparameters(deepseek_laws(), model_flops(shape, 128) * static_cast<double>(tokens));
}

TEST(RunLaws, GiveWhatTheConfigLeavesOut) {
  const TrainConfig config =
      load("laws = \"deepseek\"\n" + model + "[train]\nsequence_length = 128\ntokens = 1000000\n");
  const Hyperparameters h = expected(1000000);
  EXPECT_EQ(config.schedule.peak, h.learning_rate);
  EXPECT_EQ(config.train.global_batch, round_batch(h.batch_sequences(128)));
  EXPECT_EQ(config.laws, "");
  EXPECT_NO_THROW(resolve(config, {300}));
}

TEST(RunLaws, LeaveWhatTheConfigGives) {
  const std::string text =
      "laws = \"deepseek\"\n" + model + "[train]\nsequence_length = 128\ntokens = 1000000\n";
  const TrainConfig rate = load(text + "[schedule]\npeak = 1e-3\n");
  EXPECT_EQ(rate.schedule.peak, 1e-3);
  EXPECT_EQ(rate.train.global_batch, round_batch(expected(1000000).batch_sequences(128)));
  const TrainConfig batch = load(text, {"train.global_batch=32", "train.tokens=2000000"});
  EXPECT_EQ(batch.train.global_batch, 32);
  EXPECT_EQ(batch.schedule.peak, expected(2000000).learning_rate);
}

TEST(RunLaws, WithoutLawsTheConfigIsAsItWas) {
  const TrainConfig config = load(model);
  EXPECT_EQ(config.schedule.peak, ScheduleConfig{}.peak);
  EXPECT_EQ(config.train.global_batch, LoopConfig{}.global_batch);
}

TEST(RunLaws, NeedABudget) {
  const auto refusal = [](const std::string& text) {
    const std::string message = test::input_error_of([&] { load(text); });
    return message.substr(message.find("run.toml"));
  };
  EXPECT_EQ(refusal("laws = \"deepseek\"\n" + model + "[train]\nsteps = 3\n"),
            "run.toml: laws = \"deepseek\" needs train.tokens: the budget is M · train.tokens");
  EXPECT_EQ(refusal("laws = \"deepseek\"\n" + model + "[train]\ntokens = 3\nsequence_length = 0\n"),
            "run.toml: train.sequence_length is 0: use 1 or more");
}

LossSurface surface() {
  LossSurface surface;
  surface.irreducible.value = 1.7;
  surface.model_coefficient.value = 400;
  surface.model_exponent.value = 0.34;
  surface.data_coefficient.value = 410;
  surface.data_exponent.value = 0.28;
  return surface;
}

Laws laws_with(const LossSurface& surface, const char* unit = "nats per token") {
  Laws laws = deepseek_laws();
  laws.source = "mine.json";
  laws.loss_unit = unit;
  laws.loss_surface = surface;
  return laws;
}

TEST(LossForecastOfLaws, IsTheSurfaceAtEveryNumberOfTokens) {
  const LossSurface law = surface();
  const auto forecast = loss_forecast(laws_with(law), 3e7, 1e9);
  ASSERT_TRUE(forecast);
  EXPECT_EQ(forecast->laws, "mine.json");
  EXPECT_EQ(forecast->figure, LossForecast::Figure::loss);
  EXPECT_NEAR(forecast->points.front().tokens, 1e8, 1);  // of laws without points a tenth
  EXPECT_EQ(forecast->points.back().tokens, 1e9);        // exactly: the run's last step ends there
  for (const double tokens : {1e8, 2.3e8, 5e8, 1e9}) {
    EXPECT_NEAR(forecast->at(tokens)->loss, law.at(3e7, tokens), 1e-5) << tokens;
  }
  // Neither draws nor points: nothing says how wide the band is.
  EXPECT_TRUE(std::isnan(forecast->points.back().low));
  EXPECT_TRUE(std::isnan(forecast->points.back().high));
}

TEST(LossForecastOfLaws, BeginsWithTheFewestTokensOfAFittedRun) {
  LossSurface law = surface();
  law.record.points = {{1e7, 7e7, 3}, {1e7, 4e7, 3}, {1e8, 9e7, 3}};
  const auto first = [&](double tokens) {
    return loss_forecast(laws_with(law), 3e7, tokens)->points.front().tokens;
  };
  EXPECT_NEAR(first(1e9), 4e7, 1);
  EXPECT_NEAR(first(1e10), 1e8, 1);   // a hundredth
  EXPECT_NEAR(first(5e7), 2.5e7, 1);  // half
}

// Six runs that are 1 % off in turn, so that their scatter is 1 % · √(6 / (6 − 5)).
TEST(LossForecastOfLaws, HasABandOfTheLawAndOfTheRunsAboutIt) {
  LossSurface law = surface();
  const double loss = law.at(3e7, 1e9);
  const auto width = [&] {
    const LossForecast::Point end = loss_forecast(laws_with(law), 3e7, 1e9)->points.back();
    EXPECT_NEAR(end.high - end.loss, end.loss - end.low, 1e-9);
    return end.high - end.loss;
  };
  for (int i = 0; i < 6; ++i) {
    const double m = 1e7 * (1 + i), d = 1e9;
    law.record.points.push_back({m, d, law.at(m, d) * std::exp(i % 2 == 0 ? 0.01 : -0.01)});
  }
  const double scatter = 1.96 * 0.01 * std::sqrt(6.0) * loss;
  EXPECT_NEAR(width(), scatter, 1e-9);
  // Draws that differ in the irreducible loss alone.
  for (const double shift : {-0.1, 0.1})
    law.record.draws.push_back({1.7 + shift, 400, 0.34, 410, 0.28});
  const double interval = 0.1 * 0.95;  // between two draws a quantile is interpolated
  EXPECT_NEAR(width(), std::hypot(scatter, interval), 1e-9);
  law.record.points.clear();
  EXPECT_NEAR(width(), interval, 1e-9);
}

TEST(LossForecastOfLaws, IsInTheUnitOfTheLaws) {
  EXPECT_EQ(loss_forecast(laws_with(surface(), "bits per byte"), 3e7, 1e9)->figure,
            LossForecast::Figure::bits_per_byte);
  EXPECT_FALSE(loss_forecast(laws_with(surface(), "perplexity"), 3e7, 1e9));
  EXPECT_FALSE(loss_forecast(deepseek_laws(), 3e7, 1e9));
}

// As a sweep without a grid gives them: then rate and batch are the config's.
TEST(RunLaws, OfTheLossAloneNeedARunWithRateAndBatch) {
  const TempDir dir;
  Laws laws;
  laws.loss_unit = "nats per token";
  laws.loss_surface = surface();
  save_laws(dir / "laws.json", laws);
  const auto load_with = [&](const std::string& more) {
    test::write_file(dir / "run.toml", "laws = \"" + (dir / "laws.json") + "\"\n" + model +
                                           "[schedule]\npeak = 1e-3\n" +
                                           "[train]\nsequence_length = 128\ntokens = 1000000\n" +
                                           more);
    return load_config_by_laws(dir / "run.toml", {}, "none");
  };
  const RunByLaws run = load_with("global_batch = 8\n");
  EXPECT_TRUE(run.forecast);
  EXPECT_EQ(run.config.train.global_batch, 8);
  EXPECT_EQ(run.config.schedule.peak, 1e-3);
  EXPECT_THAT(test::input_error_of([&] { load_with(""); }),
              testing::HasSubstr("has no law 'learning_rate'"));
}

TEST(RunLaws, GiveAForecastOfTheRun) {
  const TempDir dir;
  save_laws(dir / "laws.json", laws_with(surface()));
  test::write_file(dir / "run.toml", "laws = \"" + (dir / "laws.json") + "\"\n" + model +
                                         "[train]\nsequence_length = 128\ntokens = 1000000\n");
  const RunByLaws run = load_config_by_laws(dir / "run.toml", {}, "none");
  ASSERT_TRUE(run.forecast);
  ModelConfig shape;
  shape.num_layers = 2;
  shape.hidden_size = 64;
  EXPECT_NEAR(run.forecast->points.back().tokens, 1e6, 1e-3);
  EXPECT_NEAR(run.forecast->points.back().loss, surface().at(model_flops(shape, 128), 1e6), 1e-9);
  test::write_file(dir / "run.toml", model + "[train]\ntokens = 1000000\n");
  EXPECT_FALSE(load_config_by_laws(dir / "run.toml", {}, "none").forecast);
}

// Whoever does not go by them says so.
TEST(RunLaws, AreNotOverlooked) {
  TrainConfig config = load(model + "[train]\nsteps = 3\n");
  config.laws = "mine.json";
  EXPECT_EQ(test::input_error_of([&] { resolve(config, {300}); }),
            "laws is \"mine.json\": only `fathom train` goes by laws; give schedule.peak and "
            "train.global_batch");
}

}  // namespace
}  // namespace fathom::scaling

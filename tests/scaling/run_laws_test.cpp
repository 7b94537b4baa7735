#include "scaling/run_laws.h"

#include <gtest/gtest.h>

#include "io/temp_dir.h"
#include "scaling/flops.h"
#include "scaling/hyperparameters.h"
#include "train/plan.h"

namespace fathom::scaling {
namespace {

using test::TempDir;

const std::string model = "[model]\nnum_layers = 2\nhidden_size = 64\nnum_heads = 2\n";

TrainConfig load(const std::string& text, std::vector<std::string> overrides = {}) {
  const TempDir dir;
  test::write_file(dir / "run.toml", text);
  return load_config_by_laws(dir / "run.toml", overrides, "none");
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

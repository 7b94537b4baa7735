#include "scaling/sweep_config.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/config.h"
#include "io/temp_dir.h"

namespace fathom::scaling {
namespace {

using testing::HasSubstr;

SweepConfig sweep_of(const std::string& text) {
  const test::TempDir dir;
  test::write_file(dir / "sweep.toml", text);
  return load_sweep_config(dir / "sweep.toml");
}

std::string problem(const std::string& text) {
  try {
    sweep_of(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "";
}

TEST(SweepConfig, HasDefaultsForSmallRuns) {
  const SweepConfig config =
      sweep_of("[isoflop]\nbudgets = [1e12]\n[run.data]\ndirectory = \"d\"\n");
  EXPECT_EQ(config.run.threads, 1);
  EXPECT_TRUE(config.run.deterministic);
  EXPECT_EQ(config.run.validation.sample_tokens, 0);
  EXPECT_EQ(config.run.data.directory, "d");
  EXPECT_TRUE(config.trunks);
}

TEST(SweepConfig, ReadsBackWhatItPrints) {
  SweepConfig config = sweep_of("[grid]\nbudgets = [1e12]\nbatches = [8]\nmodel_flops = 3e6\n");
  const test::TempDir dir;
  SweepConfig again;
  read_config(ConfigTable::parse(config_to_toml(config), "again"), again);
  EXPECT_EQ(config_to_toml(again), config_to_toml(config));
  EXPECT_EQ(again.grid.model_flops, 3e6);
}

TEST(SweepConfig, RefusesKeysThatTheSweepChooses) {
  const std::string budgets = "[isoflop]\nbudgets = [1e12]\n";
  EXPECT_THAT(problem(budgets + "[run.train]\ntokens = 5\n"),
              HasSubstr("sweep.toml:4: run.train.tokens: a sweep sets this key"));
  EXPECT_THAT(problem(budgets + "[run]\noutput = \"x\"\n"), HasSubstr("run.output"));
  EXPECT_THAT(problem(budgets + "[run.model]\nhidden_size = 64\n"),
              HasSubstr("run.model.hidden_size"));
  EXPECT_THAT(problem(budgets + "[run.parallel]\ntp = 2\n"), HasSubstr("run.parallel"));
  EXPECT_EQ(problem(budgets + "[run.model]\ninit_std = 0.02\n"), "");
}

TEST(SweepConfig, RefusesEachKeyThatItSetsItself) {
  const std::string budgets = "[isoflop]\nbudgets = [1e12]\n";
  for (const char* key : {"output", "model_file", "init_from", "continue_from", "laws"}) {
    EXPECT_THAT(problem(budgets + fmt::format("[run]\n{} = \"x\"\n", key)),
                HasSubstr(fmt::format("run.{}: a sweep sets this key", key)));
  }
  for (const auto& [table, keys] :
       {std::pair{"model", std::vector{"num_layers", "hidden_size", "num_heads", "num_kv_heads",
                                       "head_dim", "intermediate_size", "max_position"}},
        {"train", std::vector{"global_batch", "steps", "tokens", "epochs", "max_minutes"}},
        {"schedule", std::vector{"peak", "max_warmup"}},
        {"checkpoint", std::vector{"keep_tokens"}}}) {
    for (const char* key : keys) {
      EXPECT_THAT(problem(budgets + fmt::format("[run.{}]\n{} = 1\n", table, key)),
                  HasSubstr(fmt::format("run.{}.{}: a sweep sets this key", table, key)));
    }
  }
  EXPECT_EQ(problem(budgets + "[run.train]\nsequence_length = 64\nmicro_batch = 1\n"), "");
}

TEST(SweepConfig, HasItsOwnDefaults) {
  const SweepConfig config;
  EXPECT_EQ(config.laws, "deepseek");
  EXPECT_EQ(config.warmup, 0.05);
  EXPECT_EQ(config.isoflop.allocations, 8);
  EXPECT_EQ(config.isoflop.spread, 16);
  EXPECT_EQ(config.isoflop.hyperparameters, HyperparameterChoice::per_model);
  EXPECT_EQ(config.grid.rate_factors, (std::vector<double>{0.25, 0.5, 1, 2, 4}));
  EXPECT_EQ(config.grid.batch_factors, (std::vector<double>{0.25, 0.5, 1, 2, 4}));
  EXPECT_EQ(config.run.validation.every_steps, 0) << "a run's loss is that of its end";
  EXPECT_EQ(config.run.validation.sample_tokens, 0);
  EXPECT_EQ(config.run.checkpoint.keep_last, 1);
}

// The last value of each number that is taken, and the first that is not.
TEST(SweepConfig, TakesWhatJustFits) {
  const auto iso = [](const std::string& line) {
    return problem("[isoflop]\nbudgets = [1e12]\n" + line + "\n");
  };
  const auto grid = [](const std::string& line) {
    return problem("[grid]\nbudgets = [1e12]\n" + line + "\n");
  };
  for (const char* line : {"allocations = 1", "allocations = 1000", "spread = 1.001", "batch = 1",
                           "learning_rate = 1e-9", "model_flops = [1.0]"}) {
    EXPECT_EQ(iso(line), "") << line;
  }
  EXPECT_THAT(iso("allocations = 1001"), HasSubstr("isoflop.allocations is 1001: use 1 to 1000"));
  EXPECT_THAT(iso("spread = inf"), HasSubstr("isoflop.spread is inf: use a number above 1"));
  EXPECT_THAT(iso("batch = 0"), HasSubstr("isoflop.batch holds 0: use positive numbers"));
  EXPECT_THAT(iso("learning_rate = 0.0"), HasSubstr("isoflop.learning_rate holds 0"));
  EXPECT_THAT(iso("model_flops = [1e9, inf]"), HasSubstr("isoflop.model_flops holds inf"));
  EXPECT_THAT(grid("learning_rates = [1e-3, 0.0]"), HasSubstr("grid.learning_rates holds 0"));
  EXPECT_THAT(grid("rate_factors = [-1.0]"), HasSubstr("grid.rate_factors holds -1"));
  EXPECT_THAT(grid("batch_factors = [nan]"), HasSubstr("grid.batch_factors holds nan"));
  EXPECT_THAT(grid("model_flops = 0.0"), HasSubstr("grid.model_flops holds 0"));
  EXPECT_THAT(problem("[grid]\nbudgets = [0.0]\n"), HasSubstr("grid.budgets holds 0"));
  for (const char* warmup : {"0.0", "0.5"}) {
    EXPECT_EQ(problem(fmt::format("warmup = {}\n[grid]\nbudgets = [1e12]\n", warmup)), "");
  }
  EXPECT_THAT(problem("warmup = 0.51\n[grid]\nbudgets = [1e12]\n"),
              HasSubstr("warmup is 0.51: use a share from 0 to 0.5"));
  EXPECT_THAT(problem("warmup = -0.1\n[grid]\nbudgets = [1e12]\n"), HasSubstr("warmup is -0.1"));
}

TEST(SweepConfig, RefusesImpossibleNumbers) {
  EXPECT_THAT(problem("trunks = true\n"), HasSubstr("no runs: give isoflop.budgets"));
  EXPECT_THAT(problem("[isoflop]\nbudgets = [1e12, -1.0]\n"),
              HasSubstr("isoflop.budgets holds -1"));
  EXPECT_THAT(problem("[isoflop]\nbudgets = [1e12]\nspread = 1\n"), HasSubstr("isoflop.spread"));
  EXPECT_THAT(problem("[isoflop]\nbudgets = [1e12]\nallocations = 0\n"),
              HasSubstr("isoflop.allocations"));
  EXPECT_THAT(problem("warmup = 0.7\n[isoflop]\nbudgets = [1e12]\n"), HasSubstr("warmup is 0.7"));
  EXPECT_THAT(problem("[grid]\nbudgets = [1e12]\nbatches = [0]\n"), HasSubstr("grid.batches"));
  EXPECT_THAT(problem("[isoflop]\nbudgets = [1e12]\n[run.checkpoint]\nenabled = false\n"),
              HasSubstr("run.checkpoint.enabled"));
  EXPECT_THAT(problem("[isoflop]\nbudgets = [1e12]\n[run.eval]\ntasks = [\"piqa\"]\n"),
              HasSubstr("sweep.toml: run.eval.tasks: runs of a sweep are not evaluated"));
}

}  // namespace
}  // namespace fathom::scaling

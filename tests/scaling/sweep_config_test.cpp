#include "scaling/sweep_config.h"

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

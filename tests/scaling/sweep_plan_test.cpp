#include "scaling/sweep_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.h"
#include "core/log_redirection.h"
#include "scaling/small_sweep.h"
#include "scaling/sweep_report.h"
#include "scaling/sweep_time.h"
#include "scaling/sweep_trunks.h"

namespace fathom::scaling {
namespace {

using testing::HasSubstr;

class SweepPlanFiles : public testing::Test {
 protected:
  SweepPlanFiles() { prepare_data(test::sample_config(dir_), test::byte_encoder()); }
  template <class F>
  static std::string problem(F&& f) {
    try {
      f();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input);
      return error.what();
    }
    return "";
  }

  test::TempDir dir_;
};

TEST_F(SweepPlanFiles, ReadBackTheSamePlan) {
  const PlannedSweep sweep = plan_small_sweep(dir_, "sweep", small_sweep(dir_));
  const SweepPlan again = load_sweep_plan(sweep.dir);
  EXPECT_EQ(sweep_plan_text(again), sweep_plan_text(sweep.plan));
  ASSERT_EQ(again.runs.size(), 6u);
  EXPECT_EQ(again.dataset, "letters");
  for (std::size_t i = 0; i < again.runs.size(); ++i) {
    EXPECT_EQ(again.own_flops(again.runs[i]), sweep.plan.own_flops(sweep.plan.runs[i]));
  }
}

// The longest run of each model is the trunk of the two others.
TEST_F(SweepPlanFiles, ConfigsAreThoseOfTrainingRuns) {
  const PlannedSweep sweep = plan_small_sweep(dir_, "sweep", small_sweep(dir_));
  for (const SweepRun& run : sweep.plan.runs) {
    const std::vector<std::string> alone{"continue_from=\"\""};
    const TrainConfig config =
        load_train_config(sweep.dir + "/configs/" + run.name + ".toml", alone);
    EXPECT_EQ(config.train.tokens, run.tokens);
    EXPECT_EQ(config.train.global_batch, 4);
    EXPECT_EQ(config.train.micro_batch, 4);
    EXPECT_EQ(config.schedule.peak, 5e-3);
    EXPECT_GT(run.warmup_steps, 0);
    EXPECT_EQ(config.schedule.warmup_steps, run.warmup_steps);
    EXPECT_EQ(config.schedule.max_warmup, 1) << "a warm-up is as long in short runs";
    EXPECT_EQ(config.seed, sweep.plan.seed);
    EXPECT_EQ(config.model.vocab_size, 256);
    EXPECT_EQ(config.output, sweep.dir + "/runs/" + run.name);
    EXPECT_EQ(config.checkpoint.keep_tokens.size(), run.trunk.empty() ? 2u : 0u);
    const TrainConfig loaded = load_sweep_run(sweep.dir, sweep.plan, run);
    EXPECT_EQ(loaded.continue_from, run.trunk.empty() ? ""
                                                      : fmt::format("{}/runs/{}@{}", sweep.dir,
                                                                    run.trunk, run.branch_step));
    EXPECT_THAT(test::read_file(sweep.dir + "/configs/" + run.name + ".toml"),
                HasSubstr("continue_from = \"" + loaded.continue_from + "\""));
  }
}

// A GPU takes 16384 tokens at once where a CPU takes 4096, and what it would choose by its free
// memory is chosen beforehand.
TEST_F(SweepPlanFiles, LeaveNothingToAGpusFreeMemory) {
  SweepConfig config = small_sweep(dir_);
  config.run.device = "cuda";
  config.run.dtype = DTypeChoice::automatic;
  config.isoflop.budgets = {1e13};
  config.isoflop.batch = 512;
  const PlannedSweep sweep = plan_small_sweep(dir_, "gpu", config);
  const std::vector<std::string> alone{"continue_from=\"\""};
  const TrainConfig run =
      load_train_config(sweep.dir + "/configs/" + sweep.plan.runs.front().name + ".toml", alone);
  EXPECT_EQ(run.device, "cuda");
  EXPECT_EQ(run.train.micro_batch, 512);  // of 24 tokens each; on a CPU 128
  EXPECT_EQ(run.train.recompute, RecomputeChoice::none);
  EXPECT_EQ(run.dtype, DTypeChoice::bf16);
  EXPECT_EQ(run.train.logits_chunk, 0);
}

// A branch would lack the phases that had to begin before it.
TEST_F(SweepPlanFiles, RunsWithPhasesOfTheDataBeginByThemselves) {
  SweepConfig config = small_sweep(dir_);
  config.run.data.phases = {{0.5, {}, {}, {{"a", 1}}}};
  std::vector<std::string> lines;
  const log::Redirection told([&](log::Level, const std::string& line) { lines.push_back(line); });
  const PlannedSweep sweep = plan_small_sweep(dir_, "sweep", config);
  EXPECT_THAT(lines, testing::ElementsAre(HasSubstr("trunks: none")));
  for (const SweepRun& run : sweep.plan.runs) {
    EXPECT_EQ(run.trunk, "") << run.name;
    EXPECT_EQ(load_train_config(sweep.dir + "/configs/" + run.name + ".toml").data.phases.size(),
              1u);
  }
  lines.clear();
  config.trunks = false;
  plan_small_sweep(dir_, "apart", config);
  config.trunks = true;
  config.run.data.phases.clear();
  plan_small_sweep(dir_, "without", config);
  EXPECT_TRUE(lines.empty()) << "nothing is other than the config says";
}

// What a branch shares with its trunk takes no time of its own.
TEST_F(SweepPlanFiles, TakeTheTimeOfWhatIsLeftToTrain) {
  const SweepPlan plan = plan_small_sweep(dir_, "sweep", small_sweep(dir_)).plan;
  double own = 0;
  for (const SweepRun& run : plan.runs) {
    own += run.flops_per_token * double(own_tokens(run, plan.sequence_length));
  }
  EXPECT_NEAR(time_by_rate(plan, 1e6, 1).seconds / (own / 1e6), 1, 1e-9);
  EXPECT_LT(time_by_rate(plan, 1e6, 2).seconds, 0.9 * own / 1e6);
}

TEST_F(SweepPlanFiles, TellOfRunsThatReadTheirDataTooOften) {
  SweepPlan plan = plan_small_sweep(dir_, "sweep", small_sweep(dir_)).plan;
  std::vector<std::int64_t> tokens;
  for (const SweepRun& run : plan.runs) tokens.push_back(run.tokens);
  std::ranges::sort(tokens);
  const auto told = [&](std::int64_t unique) {
    plan.unique_tokens = unique;
    return to_text(plan, time_by_rate(plan, 1e6, 1));
  };
  EXPECT_THAT(told(tokens[3] / 4 + 1), HasSubstr("2 runs read the data of "));
  EXPECT_THAT(told(tokens[5]), testing::Not(HasSubstr("read the data")));
}

TEST_F(SweepPlanFiles, MayBeMoved) {
  const PlannedSweep sweep = plan_small_sweep(dir_, "sweep", small_sweep(dir_));
  std::filesystem::rename(sweep.dir, dir_ / "moved");
  const SweepPlan plan = load_sweep_plan(dir_ / "moved");
  const TrainConfig config = load_sweep_run(dir_ / "moved", plan, plan.runs[0]);
  EXPECT_EQ(config.output, dir_ / "moved" + "/runs/" + plan.runs[0].name);
  EXPECT_THAT(config.continue_from, testing::StartsWith(dir_ / "moved/runs/"));
}

TEST_F(SweepPlanFiles, RefuseAnotherPlanInTheirPlace) {
  SweepConfig config = small_sweep(dir_);
  plan_small_sweep(dir_, "sweep", config);
  plan_small_sweep(dir_, "sweep", config);
  config.run.optimizer.weight_decay = 0.2;  // in the configs alone
  EXPECT_THAT(problem([&] { plan_small_sweep(dir_, "sweep", config); }),
              HasSubstr("is of another plan: name another --out"));
}

TEST_F(SweepPlanFiles, RefuseARunThatWasEdited) {
  const PlannedSweep sweep = plan_small_sweep(dir_, "sweep", small_sweep(dir_));
  const SweepRun& run = sweep.plan.runs.front();
  const std::string path = sweep.dir + "/configs/" + run.name + ".toml";
  std::string text = test::read_file(path);
  const std::size_t at = text.find("peak = 0.005");
  ASSERT_NE(at, text.npos);
  test::write_file(path, text.replace(at, 12, "peak = 0.007"));
  EXPECT_THAT(problem([&] { load_sweep_run(sweep.dir, sweep.plan, run); }),
              HasSubstr("schedule.peak is 0.007, but the sweep's plan.json says 0.005"));
}

TEST_F(SweepPlanFiles, RefuseAnyKeyThatResultsAreMadeOf) {
  const PlannedSweep sweep = plan_small_sweep(dir_, "sweep", small_sweep(dir_));
  const auto told = [&](auto&& change) {
    PlannedSweep other = sweep;
    change(other.plan, other.plan.runs.front());
    return problem([&] { load_sweep_run(sweep.dir, other.plan, other.plan.runs.front()); });
  };
  EXPECT_EQ(told([](SweepPlan&, SweepRun&) {}), "");
  EXPECT_THAT(told([](auto&, auto& run) { run.model.num_layers = 9; }),
              HasSubstr("model.num_layers is 1, but the sweep's plan.json says 9"));
  EXPECT_THAT(told([](auto&, auto& run) { run.model.hidden_size = 9; }),
              HasSubstr("model.hidden_size is 64, but"));
  EXPECT_THAT(told([](auto& plan, auto&) { plan.sequence_length = 9; }),
              HasSubstr("train.sequence_length is 24, but"));
  EXPECT_THAT(told([](auto&, auto& run) { ++run.tokens; }), HasSubstr("train.tokens is "));
  EXPECT_THAT(told([](auto&, auto& run) { run.batch = 9; }),
              HasSubstr("train.global_batch is 4, but"));
  EXPECT_THAT(told([](auto& plan, auto&) { plan.seed = 9; }), HasSubstr("seed is 1, but"));
}

TEST_F(SweepPlanFiles, RefuseABranchWithoutItsTrunk) {
  PlannedSweep sweep = plan_small_sweep(dir_, "sweep", small_sweep(dir_));
  const auto branch =
      std::ranges::find_if(sweep.plan.runs, [](const SweepRun& run) { return !run.trunk.empty(); });
  ASSERT_NE(branch, sweep.plan.runs.end());
  branch->trunk = "nowhere";
  test::write_file(sweep.dir + "/plan.json", sweep_plan_text(sweep.plan));
  EXPECT_THAT(problem([&] { load_sweep_plan(sweep.dir); }),
              HasSubstr("run " + branch->name + " is a branch of nowhere, which is not there"));
}

TEST_F(SweepPlanFiles, RefuseADirectoryWithoutASweep) {
  EXPECT_THAT(problem([&] { load_sweep_plan(dir_ / "nowhere"); }),
              HasSubstr("there is no sweep: make one with `fathom scaling plan"));
  const PlannedSweep sweep = plan_small_sweep(dir_, "sweep", small_sweep(dir_));
  std::string text = test::read_file(sweep.dir + "/plan.json");
  const std::string key = "\"version\": 1";
  test::write_file(sweep.dir + "/plan.json",
                   text.replace(text.find(key), key.size(), "\"version\": 9"));
  EXPECT_THAT(problem([&] { load_sweep_plan(sweep.dir); }), HasSubstr("version is 9"));
}

TEST_F(SweepPlanFiles, NeedHeldOutText) {
  require_held_out(open_prepared(dir_ / "out"));
  PrepareConfig config = test::sample_config(dir_);
  config.output = dir_ / "whole";
  config.held_out_fraction = 0;
  prepare_data(config, test::byte_encoder());
  EXPECT_THAT(problem([&] { require_held_out(open_prepared(dir_ / "whole")); }),
              HasSubstr("whole: holds no text out"));
}

// What a GPU would choose by its free memory is chosen where the sweep is planned.
TEST_F(SweepPlanFiles, AreMadeForDevicesThatAreElsewhere) {
  SweepConfig config = small_sweep(dir_);
  config.run.device = "cuda";
  config.run.dtype = DTypeChoice::automatic;
  const PlannedSweep sweep = plan_small_sweep(dir_, "sweep", config);
  const TrainConfig run = load_sweep_run(sweep.dir, sweep.plan, sweep.plan.runs.front());
  EXPECT_EQ(run.device, "cuda");
  EXPECT_EQ(run.dtype, DTypeChoice::bf16);
  EXPECT_EQ(run.train.micro_batch, 4);
  EXPECT_EQ(run.train.recompute, RecomputeChoice::none);
  EXPECT_EQ(run.train.logits_chunk, 0);
}

TEST_F(SweepPlanFiles, TellWhatTrunksSave) {
  const PlannedSweep sweep = plan_small_sweep(dir_, "sweep", small_sweep(dir_));
  const SweepFlops flops = sweep_flops(sweep.plan);
  // 0.2 of the shorter budgets, and the longest: (0.2 · (1.2 + 1.8) + 3) / 6.
  EXPECT_NEAR(flops.with_trunks / flops.without_trunks, 0.6, 0.01);
  const std::string text = to_text(sweep.plan, time_by_rate(sweep.plan, 1e9, 2));
  EXPECT_THAT(text, HasSubstr("4 branches of trunks"));
  EXPECT_THAT(text, HasSubstr("40 % less"));
  EXPECT_THAT(text, HasSubstr("2 runs at a time (at 1.00e9 FLOP/s each)"));
  SweepConfig apart = small_sweep(dir_);
  apart.trunks = false;
  EXPECT_EQ(sweep_flops(plan_small_sweep(dir_, "apart", apart).plan).saving(), 0);
}

}  // namespace
}  // namespace fathom::scaling

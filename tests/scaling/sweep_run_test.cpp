// Whole sweeps: their results do not depend on how they are run.
#include "scaling/sweep_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "core/device.h"
#include "core/error.h"
#include "io/file_lock.h"
#include "scaling/small_sweep.h"
#include "scaling/sweep_results.h"
#include "train/trainer.h"

namespace fathom::scaling {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class RunSweep : public testing::Test {
 protected:
  RunSweep() { prepare_data(test::sample_config(dir_), test::byte_encoder()); }

  SweepEnd run(const std::string& dir, SweepOptions options = {1, 1, 1}) {
    return run_sweep(runtime_, dir, options);
  }
  // The results of a sweep that is planned and run.
  std::string results_of(const std::string& name, const SweepConfig& config,
                         SweepOptions options = {1, 1, 1}) {
    const PlannedSweep sweep = plan_small_sweep(dir_, name, config);
    EXPECT_EQ(run(sweep.dir, options).failed, 0u);
    return test::read_file(sweep.dir + "/results.jsonl");
  }

  test::TempDir dir_;
  Runtime runtime_{Signals::stop_runs, 1e10};
};

TEST_F(RunSweep, EndWithAResultOfEachRunInTheOrderOfThePlan) {
  const PlannedSweep sweep = plan_small_sweep(dir_, "sweep", small_sweep(dir_));
  run(sweep.dir);
  const Results results = read_results({sweep.dir + "/results.jsonl"});
  ASSERT_EQ(results.runs.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) {
    const RunResult& result = results.runs[i];
    const SweepRun& planned = sweep.plan.runs[i];
    EXPECT_EQ(result.name, planned.name);
    EXPECT_EQ(result.dataset, "letters");
    EXPECT_EQ(result.tokens, double(planned.tokens));
    EXPECT_EQ(result.batch_tokens, 96);
    EXPECT_LT(result.loss, 5.4);  // ln 256 = 5.55 at the beginning
    EXPECT_GT(result.loss, 0.5);
    EXPECT_FALSE(std::isnan(result.bits_per_byte));
    EXPECT_EQ(result.unique_tokens, double(sweep.plan.unique_tokens));
  }
  // What a run tells, its checkpoints' writer too.
  EXPECT_THAT(test::read_file(sweep.dir + "/logs/" + sweep.plan.runs[0].name + ".log"),
              testing::AllOf(HasSubstr("continuing "), HasSubstr("saved the checkpoint of step ")));
  // A second call has nothing to do.
  const auto before = fs::last_write_time(sweep.dir + "/runs/" + sweep.plan.runs[0].name);
  run(sweep.dir);
  EXPECT_EQ(fs::last_write_time(sweep.dir + "/runs/" + sweep.plan.runs[0].name), before);
}

// Branches end with the bits of runs of their own, and so does whatever is fitted to them.
TEST_F(RunSweep, TrunksChangeNoBit) {
  SweepConfig config = small_sweep(dir_);
  const std::string with_trunks = results_of("trunks", config);
  config.trunks = false;
  EXPECT_EQ(results_of("whole", config), with_trunks);
}

TEST_F(RunSweep, SideBySideHaveTheSameBits) {
  const SweepConfig config = small_sweep(dir_);
  const std::string in_turn = results_of("turn", config);
  EXPECT_EQ(results_of("side", config, {4, 1, 1}), in_turn);
}

TEST_F(RunSweep, PartsTogetherMakeTheSameResults) {
  const SweepConfig config = small_sweep(dir_);
  const std::string whole = results_of("whole", config);
  const PlannedSweep parted = plan_small_sweep(dir_, "parted", config);
  run(parted.dir, {1, 2, 2});
  const std::string half = test::read_file(parted.dir + "/results.jsonl");
  EXPECT_EQ(std::ranges::count(half, '\n'), 3);
  run(parted.dir, {1, 1, 2});
  EXPECT_EQ(test::read_file(parted.dir + "/results.jsonl"), whole);
}

// As each run alone by `fathom train`.
TEST_F(RunSweep, AreTrainingRuns) {
  const PlannedSweep sweep = plan_small_sweep(dir_, "sweep", small_sweep(dir_));
  run(sweep.dir);
  SweepRun branch = sweep.plan.runs.front();
  ASSERT_NE(branch.trunk, "");
  TrainConfig config = load_sweep_run(sweep.dir, sweep.plan, branch);
  config.output = dir_ / "alone";
  ASSERT_EQ(train(runtime_, config, {}), 0);
  EXPECT_EQ(test::read_file(dir_ / "alone/model/model.safetensors"),
            test::read_file(sweep.dir + "/runs/" + branch.name + "/model/model.safetensors"));
}

TEST_F(RunSweep, ADivergedRunIsRecordedAndEndsNoOther) {
  SweepConfig config = small_sweep(dir_);
  config.isoflop.budgets = {};
  config.grid.budgets = {1.2e9, 1.8e9};
  config.grid.model_flops = 3.2e5;
  config.grid.batches = {4};
  config.grid.learning_rates = {5e-3, 1e30};
  config.run.guard.max_consecutive = 2;
  const PlannedSweep sweep = plan_small_sweep(dir_, "sweep", config);
  EXPECT_EQ(run(sweep.dir).failed, 0u);
  const Results results = read_results({sweep.dir + "/results.jsonl"});
  ASSERT_EQ(results.runs.size(), 4u);
  for (const RunResult& result : results.runs) {
    EXPECT_EQ(result.diverged(), result.learning_rate > 1) << result.name;
  }
  // The trunk diverged before its branch point: the branch was not trained for the same end.
  EXPECT_EQ(std::distance(fs::directory_iterator(sweep.dir + "/runs"), {}), 3);
}

// A file where a run's directory should be, then gone.
TEST_F(RunSweep, AFailedRunIsRecordedAndTriedAgain) {
  SweepConfig config = small_sweep(dir_);
  const std::string expected = results_of("undisturbed", config);
  const PlannedSweep sweep = plan_small_sweep(dir_, "sweep", config);
  const std::string trunk = sweep.plan.runs[4].name;
  fs::create_directories(sweep.dir + "/runs");
  test::write_file(sweep.dir + "/runs/" + trunk, "in the way");
  EXPECT_EQ(run(sweep.dir).failed, 3u);  // with its two branches
  const Results results = read_results({sweep.dir + "/results.jsonl"});
  ASSERT_EQ(results.runs.size(), 6u);
  EXPECT_TRUE(results.runs[4].diverged());
  EXPECT_FALSE(results.runs[5].diverged());
  EXPECT_TRUE(fs::exists(sweep.dir + "/results/" + trunk + ".failed"));
  fs::remove(sweep.dir + "/runs/" + trunk);
  EXPECT_EQ(run(sweep.dir).failed, 0u);
  EXPECT_FALSE(fs::exists(sweep.dir + "/results/" + trunk + ".failed"));
  EXPECT_EQ(test::read_file(sweep.dir + "/results.jsonl"), expected);
}

// What a kill leaves of a sweep: some results, a finished run without one, a trunk without its
// branches.
TEST_F(RunSweep, GoOnFromAnyState) {
  const SweepConfig config = small_sweep(dir_);
  const PlannedSweep sweep = plan_small_sweep(dir_, "sweep", config);
  run(sweep.dir);
  const std::string expected = test::read_file(sweep.dir + "/results.jsonl");
  fs::remove(sweep.dir + "/results.jsonl");
  const SweepRun &branch = sweep.plan.runs[0], &trunk = sweep.plan.runs[4];
  fs::remove_all(sweep.dir + "/runs/" + branch.name);
  fs::remove(sweep.dir + "/results/" + branch.name + ".json");
  fs::remove(sweep.dir + "/results/" + trunk.name + ".json");
  run(sweep.dir);
  EXPECT_EQ(test::read_file(sweep.dir + "/results.jsonl"), expected);
}

// A branch whose trunk's checkpoint was deleted begins by itself.
TEST_F(RunSweep, ABranchWithoutItsPointTrainsFromItsBeginning) {
  const PlannedSweep sweep = plan_small_sweep(dir_, "sweep", small_sweep(dir_));
  run(sweep.dir);
  const std::string expected = test::read_file(sweep.dir + "/results.jsonl");
  const SweepRun& branch = sweep.plan.runs[0];
  fs::remove_all(sweep.dir + "/runs/" + branch.trunk + "/checkpoints");
  fs::remove_all(sweep.dir + "/runs/" + branch.name);
  fs::remove(sweep.dir + "/results/" + branch.name + ".json");
  run(sweep.dir);
  EXPECT_EQ(test::read_file(sweep.dir + "/results.jsonl"), expected);
}

TEST_F(RunSweep, RefuseWhatIsRunElsewhere) {
  const PlannedSweep sweep = plan_small_sweep(dir_, "sweep", small_sweep(dir_));
  const DirectoryLock other(sweep.dir + "/parts/1-of-1");
  try {
    run(sweep.dir);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("in use by"));
  }
}

TEST(SweepJobs, UseAllCores) {
  TrainConfig config;
  config.threads = 1;
  const int all = usual_jobs(config, {});
  EXPECT_GE(all, 1);
  config.threads = 4096;
  EXPECT_EQ(usual_jobs(config, {}), 1);
  EXPECT_EQ(sweep_devices("cpu"), 1);
  EXPECT_EQ(sweep_devices("cuda:1"), 1);
  const int gpus = cuda::device_count();
  EXPECT_EQ(sweep_devices("cuda"), gpus > 0 ? gpus : 1) << "all, and no sweep has room for none";
}

}  // namespace
}  // namespace fathom::scaling

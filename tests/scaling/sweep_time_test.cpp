// How long a sweep takes, by the few steps that its models train for it.
#include "scaling/sweep_time.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "data/mix_phases.h"
#include "scaling/small_sweep.h"

namespace fathom::scaling {
namespace {

class SweepTimes : public testing::Test {
 protected:
  SweepTimes() { test::sample_data(dir_); }

  SweepTime measured(const SweepConfig& config) {
    const SweepPlan plan = plan_small_sweep(dir_, fmt::format("sweep{}", ++sweeps_), config).plan;
    const auto data = std::make_shared<const PreparedData>(open_prepared(config.run.data));
    return time_by_bench(plan, config, dir_ / "bench", data, runtime_, 1);
  }

  test::TempDir dir_;
  int sweeps_ = 0;
  Runtime runtime_{Signals::stop_runs, 1e10};
};

// Six steps do not reach the places of the phases, and say nothing of what the runs repeat.
TEST_F(SweepTimes, AreMeasuredWhateverTheRunsReadLater) {
  const std::vector<MixPhaseConfig> phases = {
      {0.9, {}, {}, {{"b", 9}}}, {{}, 1000, {}, {{"b", 9}}}, {{}, {}, 10, {{"b", 9}}}};
  for (const MixPhaseConfig& phase : phases) {
    SweepConfig config = small_sweep(dir_);
    config.run.data.phases = {phase};
    EXPECT_GT(measured(config).seconds, 0) << description(phase);
  }
  SweepConfig config = small_sweep(dir_);
  config.run.data.max_epochs = 0.01;
  EXPECT_GT(measured(config).seconds, 0);
  config.run.data.max_epochs.reset();
  config.run.data.sources = {{"a", "", {}, false, 0.01}, {"b", "", {}}};
  EXPECT_GT(measured(config).seconds, 0);
}

// Runs with the same model and batch share a measurement, others do not.
TEST_F(SweepTimes, AreMeasuredOnceForEachModelAndBatch) {
  SweepConfig config = small_sweep(dir_);
  EXPECT_EQ(measured(config).source, "by 2 short runs, each alone on cpu") << "of six runs";
  config.isoflop.budgets.clear();
  config.grid.budgets = {3e9};
  config.grid.model_flops = 3.2e5;
  config.grid.learning_rates = {1e-3, 2e-3};
  config.grid.batches = {2, 4, 8};
  EXPECT_EQ(measured(config).source, "by 3 short runs, each alone on cpu");
  EXPECT_TRUE(std::filesystem::is_empty(dir_ / "bench")) << "nothing of them is left";
}

TEST_F(SweepTimes, AreNotKnownWithoutTheDevice) {
  SweepConfig config = small_sweep(dir_);
  config.run.device = "cuda:4096";
  config.run.dtype = DTypeChoice::f32;
  const SweepTime time = measured(config);
  EXPECT_FALSE(time.known());
  EXPECT_NE(time.why_unknown.find("cuda"), std::string::npos) << time.why_unknown;
  EXPECT_EQ(time.seconds, 0);
}

}  // namespace
}  // namespace fathom::scaling

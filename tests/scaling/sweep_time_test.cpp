// How long a sweep takes, by the few steps that its models train for it.
#include "scaling/sweep_time.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace fathom::scaling

#include "scaling/failures.h"

#include <gmock/gmock.h>

#include "core/error.h"

namespace fathom::scaling {
namespace {

constexpr double day = 86400;

TEST(Failures, WithoutAnyARunTakesItsTime) {
  FailureModel model;
  model.gpu_hours_between = 1e12;
  const FailureCost cost = simulate_failures(model, 10 * day, 8);
  EXPECT_NEAR(cost.days, 10, 1e-9);
  EXPECT_EQ(cost.failures, 0);
  EXPECT_NEAR(cost.lost_share, 0, 1e-12);
}

// Each failure costs the restart, half an interval and the writing of the checkpoint before.
TEST(Failures, CostTheRestartAndTheWorkSinceTheLastCheckpoint) {
  FailureModel model;
  model.gpu_hours_between = 10240;  // ten hours for 1024 GPUs
  model.restart_seconds = 600;
  model.interval_seconds = 300;
  model.write_seconds = 60;
  const FailureCost cost = simulate_failures(model, 100 * day, 1024);
  EXPECT_NEAR(cost.failures, 240 * cost.days / 100, 5);
  const double each = (cost.days - 100) * day / cost.failures;
  EXPECT_NEAR(each, 600 + 150 + 60, 25);
  EXPECT_LT(cost.days_interval.low, cost.days);
  EXPECT_GT(cost.days_interval.high, cost.days);
}

TEST(Failures, AreTheSameEveryTime) {
  const FailureModel model;
  EXPECT_EQ(simulate_failures(model, 10 * day, 4096).days,
            simulate_failures(model, 10 * day, 4096).days);
}

TEST(Failures, ThatComeFasterThanCheckpointsAreRefused) {
  FailureModel model;
  model.gpu_hours_between = 1;
  EXPECT_THROW(simulate_failures(model, 10 * day, 4096), Error);
  model.gpu_hours_between = 0;
  EXPECT_THROW(simulate_failures(model, day, 8), Error);
}

}  // namespace
}  // namespace fathom::scaling

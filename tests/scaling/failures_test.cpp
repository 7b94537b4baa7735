#include "scaling/failures.h"

#include <gmock/gmock.h>

#include <cmath>

#include "core/error.h"
#include "io/temp_dir.h"

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

// What is lost is the time that the run takes longer, of all its time.
TEST(Failures, SayTheShareThatIsLost) {
  FailureModel model;
  model.gpu_hours_between = 10240;
  const FailureCost cost = simulate_failures(model, 100 * day, 1024);
  EXPECT_NEAR(cost.lost_share, 1 - 100 / cost.days, 1e-12);
  EXPECT_GT(cost.lost_share, 0.01);
  // Twice the GPUs fail twice as often.
  EXPECT_NEAR(simulate_failures(model, 100 * day, 2048).failures / cost.failures, 2, 0.1);
}

TEST(Failures, NameTheNumberThatTheyRefuse) {
  const auto refusal = [](auto&& change) {
    FailureModel model;
    change(model);
    return test::input_error_of([&] { simulate_failures(model, day, 8); });
  };
  EXPECT_EQ(refusal([](FailureModel&) {}), "no error");
  EXPECT_EQ(refusal([](auto& m) { m.restart_seconds = 0; }), "no error");
  EXPECT_EQ(refusal([](auto& m) { m.gpu_hours_between = 0; }),
            "--simulate-failures is 0: use a positive number");
  EXPECT_EQ(refusal([](auto& m) { m.gpu_hours_between = INFINITY; }),
            "--simulate-failures is inf: use a positive number");
  EXPECT_EQ(refusal([](auto& m) { m.interval_seconds = 0; }),
            "--checkpoint-seconds is 0: use a positive number");
  EXPECT_EQ(refusal([](auto& m) { m.restart_seconds = -1; }),
            "--restart-seconds is -1: use 0 or more");
  EXPECT_EQ(refusal([](auto& m) { m.restart_seconds = INFINITY; }),
            "--restart-seconds is inf: use 0 or more");
  EXPECT_THAT(
      refusal([](auto& m) { m.gpu_hours_between = 1e-3; }),
      testing::HasSubstr("s to restart and a checkpoint each 300 s: the run hardly advances"));
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

// What the guard takes for a spike, what it lets pass, and what it says.
#include "learn/guard.h"

#include <gmock/gmock.h>

#include <cmath>

#include "io/temp_dir.h"

namespace fathom {
namespace {

using Finding = SpikeGuard::Finding;
using testing::HasSubstr;

GuardConfig skipping() {
  GuardConfig config;
  config.on_spike = GuardAction::skip;
  config.warmup = 10;
  config.max_consecutive = 3;
  return config;
}

// Losses around 2, so that the guard knows what is usual.
void settle(SpikeGuard& guard, int steps = 20) {
  for (int i = 0; i < steps; ++i) {
    EXPECT_EQ(guard.judge(i + 1, 2 + 0.1 * (i % 2), 1, "").finding, Finding::fine);
  }
}

TEST(SpikeGuard, SaysWhatHappenedAndSkips) {
  SpikeGuard guard(skipping());
  settle(guard);
  const auto before = guard.state();
  const auto verdict = guard.judge(21, 9.5, 33, "samples 640 to 671");
  EXPECT_EQ(verdict.finding, Finding::spike);
  EXPECT_EQ(verdict.action, GuardAction::skip);
  EXPECT_THAT(verdict.message, HasSubstr("step 21: loss 9.5000 lies more than 8 standard"));
  EXPECT_THAT(verdict.message, HasSubstr("samples 640 to 671; this step is skipped"));
  EXPECT_EQ(guard.state().mean, before.mean) << "a skipped loss enters no statistics";
  EXPECT_EQ(guard.state().skipped, 1);
}

TEST(SpikeGuard, NothingIsASpikeDuringWarmup) {
  SpikeGuard guard(skipping());
  settle(guard, 9);
  EXPECT_EQ(guard.judge(10, 99, 1, "").finding, Finding::fine);
}

TEST(SpikeGuard, NotFiniteIsFoundFromTheFirstStep) {
  SpikeGuard guard({});
  EXPECT_EQ(guard.judge(1, NAN, 1, "").action, GuardAction::skip);
  EXPECT_EQ(guard.judge(2, 1, INFINITY, "").finding, Finding::not_finite);
  EXPECT_TRUE(std::isfinite(guard.state().mean));
}

TEST(SpikeGuard, StopsAfterTooManyInARow) {
  SpikeGuard guard(skipping());
  settle(guard);
  EXPECT_EQ(guard.judge(21, 9, 1, "").action, GuardAction::skip);
  EXPECT_EQ(guard.judge(22, 9, 1, "").action, GuardAction::skip);
  guard.judge(23, 2, 1, "");  // a fine one between: the count begins again
  EXPECT_EQ(guard.judge(24, 9, 1, "").action, GuardAction::skip);
  EXPECT_EQ(guard.judge(25, 9, 1, "").action, GuardAction::skip);
  const auto last = guard.judge(26, 9, 1, "");
  EXPECT_EQ(last.action, GuardAction::stop);
  EXPECT_THAT(last.message, HasSubstr("training stops before the weights change"));
}

TEST(SpikeGuard, ARestoredOneJudgesAlike) {
  SpikeGuard one(skipping()), two(skipping());
  settle(one);
  one.judge(21, 9, 1, "");
  two.restore(one.state());
  for (const double loss : {2.3, 9.0, 2.5, double(NAN)}) {
    const auto a = one.judge(22, loss, 1, ""), b = two.judge(22, loss, 1, "");
    EXPECT_EQ(a.finding, b.finding);
    EXPECT_EQ(a.message, b.message);
  }
}

TEST(SpikeGuard, ErrorsNameTheKey) {
  const auto message = [](auto&& change) {
    GuardConfig config;
    change(config);
    return test::input_error_of([&] { check(config); });
  };
  EXPECT_THAT(message([](auto& c) { c.sigma = 0; }), HasSubstr("guard.sigma is 0"));
  EXPECT_THAT(message([](auto& c) { c.window = 1; }), HasSubstr("guard.window is 1"));
  EXPECT_THAT(message([](auto& c) { c.warmup = 0; }), HasSubstr("guard.warmup is 0"));
  EXPECT_THAT(message([](auto& c) { c.max_consecutive = 0; }), HasSubstr("guard.max_consecutive"));
}

}  // namespace
}  // namespace fathom

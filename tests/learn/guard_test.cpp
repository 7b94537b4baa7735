// What the guard takes for a spike, what it lets pass, and what it says.
#include "learn/guard.h"

#include <gmock/gmock.h>

#include <cmath>

#include "core/enum_names.h"
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

// The plain mean of the first `window` losses, then an exponential one, both by hand.
TEST(SpikeGuard, StatisticsAreThoseOfTheLastLosses) {
  GuardConfig config;
  config.window = 2;
  SpikeGuard guard(config);
  guard.judge(1, 4, 1, "");
  EXPECT_EQ(guard.state().mean, 4);
  EXPECT_EQ(guard.state().variance, 0);
  guard.judge(2, 6, 1, "");
  EXPECT_EQ(guard.state().mean, 5);
  EXPECT_EQ(guard.state().variance, 1);
  guard.judge(3, 9, 1, "");
  EXPECT_EQ(guard.state().mean, 7);
  EXPECT_EQ(guard.state().variance, 0.5 * (1 + 0.5 * 16));
  EXPECT_EQ(guard.state().seen, 3);
}

TEST(SpikeGuard, ASpikeLiesSigmaDeviationsAboveTheMean) {
  GuardConfig config = skipping();
  config.sigma = 3;
  SpikeGuard guard(config);
  guard.restore({2, 0.25, 10, 0, 0});
  EXPECT_EQ(guard.judge(1, 3.5, 1, "").finding, Finding::fine) << "not more than 3 · 0.5 above";
  guard.restore({2, 0.25, 10, 0, 0});
  EXPECT_EQ(guard.judge(1, 3.51, 1, "").finding, Finding::spike);
  EXPECT_EQ(guard.judge(1, -9, 1, "").finding, Finding::fine) << "a fall is none";
  guard.restore({2, 0.25, 9, 0, 0});
  EXPECT_EQ(guard.judge(1, 99, 1, "").finding, Finding::fine) << "still warming up";
  guard.restore({2, 0, 10, 0, 0});
  EXPECT_EQ(guard.judge(1, 2.005, 1, "").finding, Finding::fine) << "the floor under deviations";
  guard.restore({2, 0, 10, 0, 0});
  EXPECT_EQ(guard.judge(1, 2.007, 1, "").finding, Finding::spike);
}

TEST(SpikeGuard, ActionsAreTheConfigs) {
  GuardConfig config = skipping();
  config.on_spike = GuardAction::stop;
  config.on_nan = GuardAction::ignore;
  const SpikeGuard::State settled{2, 0.25, 10, 0, 2};
  SpikeGuard guard(config);
  guard.restore(settled);
  EXPECT_EQ(guard.judge(1, 99, 1, "").action, GuardAction::stop);
  EXPECT_EQ(guard.state().mean, 2) << "not learned from";
  EXPECT_EQ(guard.state().skipped, 0) << "stopped, not skipped";
  guard.restore(settled);
  EXPECT_EQ(guard.judge(1, 2, NAN, "").action, GuardAction::ignore);
  EXPECT_EQ(guard.state().seen, 11) << "a finite loss beside a gradient that is not";
  EXPECT_EQ(guard.state().consecutive, 0);
  guard.judge(1, NAN, 1, "");
  EXPECT_EQ(guard.state().seen, 11);
}

TEST(SpikeGuard, ActionsAreChosenByName) {
  for (const auto& [name, action] : {std::pair{"skip", GuardAction::skip},
                                     {"stop", GuardAction::stop},
                                     {"ignore", GuardAction::ignore}}) {
    EXPECT_EQ(enum_of<GuardAction>(name), action) << name;
    EXPECT_EQ(enum_name(action), name);
  }
}

TEST(SpikeGuard, DecidesUpdatesWhereAFiniteGradientMayBeHeldBack) {
  const auto decides = [](GuardAction on_spike, GuardAction on_nan) {
    GuardConfig config;
    config.on_spike = on_spike;
    config.on_nan = on_nan;
    return SpikeGuard(config).decides_updates();
  };
  EXPECT_FALSE(decides(GuardAction::ignore, GuardAction::skip));
  EXPECT_FALSE(decides(GuardAction::ignore, GuardAction::ignore));
  EXPECT_TRUE(decides(GuardAction::ignore, GuardAction::stop));
  EXPECT_TRUE(decides(GuardAction::skip, GuardAction::skip));
  EXPECT_TRUE(decides(GuardAction::stop, GuardAction::skip));
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
  EXPECT_THAT(message([](auto& c) { c.sigma = NAN; }), HasSubstr("guard.sigma is nan"));
  const auto least = [](auto& c) {
    c.sigma = 1e-9, c.window = 2, c.warmup = c.max_consecutive = 1;
  };
  EXPECT_EQ(message(least), "no error");
}

TEST(SpikeGuard, AnewForgetsAllButTheSkippedSteps) {
  const SpikeGuard::State anew = SpikeGuard::anew({2, 0.25, 10, 7, 3});
  EXPECT_EQ(anew.mean, 0);
  EXPECT_EQ(anew.variance, 0);
  EXPECT_EQ(anew.seen, 0);
  EXPECT_EQ(anew.skipped, 7);
  EXPECT_EQ(anew.consecutive, 0);
}

// A step that the guard stops is the last of those in a row, and a skip that is not finite counts
// like a spike.
TEST(SpikeGuard, SkipsOfBothKindsCountInARow) {
  GuardConfig config = skipping();
  config.on_nan = GuardAction::skip;
  config.max_consecutive = 2;
  SpikeGuard guard(config);
  guard.restore({2, 0.25, 10, 0, 0});
  EXPECT_EQ(guard.judge(1, NAN, 1, "").action, GuardAction::skip);
  EXPECT_EQ(guard.state().consecutive, 1);
  const auto verdict = guard.judge(2, 99, 1, "samples 3 to 4");
  EXPECT_EQ(verdict.action, GuardAction::stop);
  EXPECT_EQ(guard.state().skipped, 2);
  EXPECT_EQ(verdict.message,
            "step 2: loss 99.0000 lies more than 8 standard deviations above its running mean "
            "2.0000 ± 0.5000, gradient norm 1.000, samples 3 to 4; training stops before the "
            "weights change");
  config.max_consecutive = 1;
  SpikeGuard strict(config);
  EXPECT_EQ(strict.judge(7, 1, INFINITY, "samples 5 to 6").message,
            "step 7: loss 1 and gradient norm inf are not both finite, samples 5 to 6; training "
            "stops before the weights change");
  EXPECT_EQ(strict.judge(8, 1, 1, "samples").message, "") << "a fine step says nothing";
}

}  // namespace
}  // namespace fathom

// Where the phases of a run's data begin.
#include "train/data_phases.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "train/phases.h"
#include "train/small_run.h"

namespace fathom {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::HasSubstr;

// Of a plan for steps of 4 sequences of 24 tokens.
class PhaseBegins : public testing::Test {
 protected:
  PhaseBegins() { config_.train.steps.reset(); }

  TrainPlan plan(std::vector<MixPhaseConfig> phases) {
    config_.data.phases = std::move(phases);
    TrainPlan plan = resolve(config_, {256, 10000});
    plan.branch = branch_;
    plan.origin = origin_;
    return plan;
  }
  std::vector<std::int64_t> samples(std::vector<MixPhaseConfig> phases) {
    std::vector<std::int64_t> first;
    for (const PhaseBegin& begin : phase_begins(plan(std::move(phases)))) {
      first.push_back(begin.first_sample);
    }
    return first;
  }
  std::string error(std::vector<MixPhaseConfig> phases) {
    return input_error_of([&] { samples(std::move(phases)); });
  }

  TempDir dir_;
  TrainConfig config_ = tiny(dir_, "run");
  std::optional<BranchState> branch_;
  RunOrigin origin_;
  const NumberTable w_ = {{"a", 1}};
};

TEST_F(PhaseBegins, AreTheFirstSampleWhereSoMuchIsRead) {
  config_.train.steps = 100;
  EXPECT_THAT(samples({at_share(0.5, w_), at_step(51, w_), at_tokens(205 * 24, w_),
                       at_tokens(205 * 24 + 1, w_), at_share(0.9, w_)}),
              ElementsAre(200, 204, 205, 206, 360));
  config_.train.steps.reset();
  config_.train.tokens = 1000;
  EXPECT_THAT(samples({at_share(0.1, w_), at_share(0.24, w_), at_share(0.7, w_)}),
              ElementsAre(5, 10, 30));
}

// 0.07 · 100 is 7.000000000000001.
TEST_F(PhaseBegins, RoundingAddsNoStep) {
  config_.train.steps = 100;
  EXPECT_THAT(samples({at_share(0.07, w_), at_share(0.29, w_), at_share(0.57, w_)}),
              ElementsAre(28, 116, 228));
}

TEST_F(PhaseBegins, ASharesLimitIsTheNearest) {
  config_.train.steps = 100;
  config_.train.tokens = 50 * 96;
  EXPECT_THAT(samples({at_share(0.5, w_)}), ElementsAre(100));
  config_.train.tokens = 500 * 96;
  EXPECT_THAT(samples({at_share(0.5, w_)}), ElementsAre(200));
  config_.train.max_minutes = 1;
  EXPECT_THAT(samples({at_share(0.5, w_)}), ElementsAre(200)) << "time is no place in the data";
}

TEST_F(PhaseBegins, PlacesThatAreNoneAreRefused) {
  config_.train.steps = 100;
  const std::string phases = "data.phases: the phase with ";
  EXPECT_EQ(error({at_step(10, w_), at_share(0.1, w_)}),
            phases +
                "begin_share = 0.1: it begins after 960 tokens, and the one before it after "
                "960: order the phases");
  EXPECT_EQ(error({at_share(0.5, w_), at_step(10, w_)}),
            phases +
                "begin_step = 10: it begins after 960 tokens, and the one before it after "
                "4800: order the phases");
  EXPECT_EQ(error({at_step(100, w_)}),
            phases + "begin_step = 100: it begins after 9600 tokens, but the run ends after 9600");
  EXPECT_EQ(error({at_tokens(9577, w_)}),
            phases +
                "begin_tokens = 9577: it begins after 9600 tokens, but the run ends after "
                "9600");
  EXPECT_EQ(samples({at_tokens(9576, w_)}).front(), 399);
  for (const double share : {0.0, 1.0, -1.0, 2.0, double(NAN)}) {
    EXPECT_THAT(error({at_share(share, w_)}), HasSubstr("use a share between 0 and 1"));
  }
  EXPECT_THAT(error({at_tokens(0, w_)}), HasSubstr("begin_tokens = 0: use 1 or more"));
  EXPECT_THAT(error({at_step(-1, w_)}), HasSubstr("begin_step = -1: use 1 or more"));
  EXPECT_EQ(error({MixPhaseConfig{{}, {}, {}, w_}}),
            phases + "no begin: give one of begin_share, begin_tokens and begin_step");
  EXPECT_EQ(error({MixPhaseConfig{0.5, 700, {}, w_}}),
            phases + "begin_share = 0.5: give one of begin_share, begin_tokens and begin_step");
  config_.train.steps.reset();
  config_.train.max_minutes = 1;
  EXPECT_THAT(error({at_share(0.5, w_)}), HasSubstr("a share of time is no place in the data"));
  EXPECT_EQ(samples({at_step(1'000'000, w_)}).front(), 4'000'000) << "no end is known";
}

// A run that goes on from step 10 of another one, after 2000 tokens and 50 samples.
TEST_F(PhaseBegins, CountFromTheBeginningOfTheFirstRun) {
  config_.train.tokens = 20000;
  branch_ = BranchState{"x", 10, 2000, 50, 1, {}};
  EXPECT_THAT(samples({at_tokens(2001, w_), at_step(11, w_), at_share(0.5, w_)}),
              ElementsAre(51, 54, 50 + 334));
  EXPECT_THAT(samples({at_step(3, w_), at_tokens(1000, w_), at_share(0.1, w_), at_step(12, w_)}),
              ElementsAre(50, 50, 50, 58))
      << "what lies before it begins there";
}

TEST_F(PhaseBegins, AFewStepsReachSomeOfThem) {
  config_.train.steps = 10;
  const auto reached = [&](std::vector<MixPhaseConfig> phases) {
    config_.data.phases = std::move(phases);
    std::vector<std::string> all;
    for (const MixPhaseConfig& phase : reached_phases(config_)) all.push_back(description(phase));
    return fmt::format("{}", fmt::join(all, "; "));
  };
  const std::string phase = "data.phases: the phase with ";
  EXPECT_EQ(reached({at_share(0.81, w_), at_share(0.85, w_)}), phase + "begin_share = 0.81");
  EXPECT_EQ(reached({at_share(0.5, w_), at_share(0.9, w_), at_share(0.95, w_)}),
            phase + "begin_share = 0.5; " + phase + "begin_share = 0.9");
  EXPECT_EQ(reached({at_step(9, w_), at_tokens(36 * 24, w_), at_tokens(36 * 24 + 1, w_),
                     at_step(10, w_), at_tokens(960, w_)}),
            phase + "begin_step = 9; " + phase + "begin_tokens = 865");
  EXPECT_EQ(reached({at_step(1000, w_), at_share(0.3, w_)}), phase + "begin_share = 0.3");
  EXPECT_THAT(input_error_of([&] { reached({at_share(1.5, w_)}); }),
              HasSubstr("use a share between 0 and 1"));
}

// Where the earlier run's steps began is not known, but of places of one kind their order is.
TEST_F(PhaseBegins, AreOrderedBeforeABranchToo) {
  config_.train.tokens = 20000;
  branch_ = BranchState{"x", 10, 2000, 50, 1, {}};
  EXPECT_EQ(error({at_tokens(1000, w_), at_tokens(500, w_)}),
            "data.phases: the phase with begin_tokens = 500: one before it begins after 1000 "
            "tokens: order the phases");
  EXPECT_THAT(error({at_step(3, w_), at_tokens(1000, w_), at_step(3, w_)}),
              HasSubstr("begin_step = 3: one before it begins after 3 steps: order"));
  EXPECT_THAT(error({at_tokens(1000, w_), at_share(0.04, w_)}),
              HasSubstr("begin_share = 0.04: one before it begins after 1000 tokens"));
  EXPECT_THAT(samples({at_tokens(500, w_), at_step(3, w_), at_tokens(1000, w_), at_step(9, w_)}),
              ElementsAre(50, 50, 50, 50));
}

// After 20 steps of 4 sequences and 10 of 8 it goes on by steps of 2.
TEST_F(PhaseBegins, StepsAreThoseThatWereTaken) {
  config_.train.global_batch = config_.train.micro_batch = 2;
  config_.train.steps = 100;
  origin_.position = {30, 160 * 24, 160, 0};
  origin_.phases = {{80, 20, 0, {}}};
  EXPECT_THAT(samples({at_step(20, w_), at_step(30, w_), at_step(31, w_), at_share(0.5, w_)}),
              ElementsAre(80, 160, 162, 200));
  EXPECT_EQ(end_sample(plan({})), 300);
  EXPECT_EQ(tokens_before(plan({}), 300), 7200);
  config_.train.steps = 20;
  EXPECT_EQ(end_sample(plan({})), 160) << "beyond its end already";
}

}  // namespace
}  // namespace fathom

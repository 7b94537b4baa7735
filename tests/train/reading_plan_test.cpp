// What a run tells before its first step of what it will read, and limits on repetition.
#include "train/reading_plan.h"

#include <gmock/gmock.h>

#include "train/branch.h"
#include "train/data_phases.h"
#include "train/small_run.h"

namespace fathom {
namespace {

using namespace test;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// Sources of 183 and 76 windows of 24 tokens, read 3 to 1 by steps of 4 windows.
class ReadingPlan : public testing::Test {
 protected:
  void SetUp() override {
    data_ = sample_data(dir_);
    ASSERT_EQ(sampler(plan()).windows(0), 183);
    ASSERT_EQ(sampler(plan()).windows(1), 76);
  }

  TrainPlan plan() const {
    TrainPlan plan = resolve(config_, facts_of(*data_, config_.data));
    plan.branch = branch_;
    return plan;
  }
  Sampler sampler(const TrainPlan& plan) const {
    return Sampler(data_, 24, 1, AttentionSpan::sequence, sampler_start(plan, *data_),
                   mix_phases(plan, *data_));
  }
  std::string text() const { return reading_plan(plan(), *data_, sampler(plan())); }
  std::vector<std::string> warnings() const {
    return check_repetition(plan(), *data_, sampler(plan()));
  }
  void add_phase(double share, NumberTable weights) {
    config_.data.phases.push_back({share, {}, {}, std::move(weights)});
  }

  TempDir dir_;
  TrainConfig config_ = tiny(dir_, "run");
  std::shared_ptr<const PreparedData> data_;
  std::optional<BranchState> branch_;
};

// "a 4.40k 432 0.7500 0.098": the words of the first line that begins with `source`, from `after`
// on.
std::string row(const std::string& text, const std::string& after, const std::string& source) {
  std::istringstream lines(text.substr(text.find(after)));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string joined, word;
    while (words >> word) joined += (joined.empty() ? "" : " ") + word;
    if (joined.starts_with(source + " ")) return joined;
  }
  return "";
}

TEST_F(ReadingPlan, HasATableOfEachPhaseAndOfAll) {
  config_.train.steps = 100;
  EXPECT_THAT(text(), AllOf(HasSubstr("what is read, from the start, 9.60k tokens:"),
                            Not(HasSubstr("in all"))));
  EXPECT_EQ(row(text(), "start", "a"), "a 4.40k 7.20k 0.7500 1.636");
  add_phase(0.5, {{"a", 1}});
  add_phase(0.9, {{"a", 0}});
  const std::string phased = text();
  EXPECT_EQ(row(phased, "from the start, 4.80k", "b"), "b 1.83k 1.20k 0.2500 0.655");
  EXPECT_EQ(row(phased, "from 4.80k tokens on, 3.84k tokens", "a"), "a 4.40k 1.92k 0.5000 0.436");
  EXPECT_EQ(row(phased, "from 8.64k tokens on, 960 tokens", "b"), "b 1.83k 960 1.0000 0.524");
  EXPECT_EQ(row(phased, "in all, 9.60k tokens", "a"), "a 4.40k 5.52k 0.5750 1.254");
  EXPECT_EQ(row(phased, "in all", "b"), "b 1.83k 4.08k 0.4250 2.226");
}

TEST_F(ReadingPlan, TellsWhatWasReadBefore) {
  branch_ = BranchState{"x", 5, 480, 20, 1, {{"a", data_->sources[0].train.checksum(), 24, 183}}};
  EXPECT_EQ(row(text(), "in all, 672 tokens", "a"), "a 4.40k 504 0.7500 0.115 (0.998 before)");
}

TEST_F(ReadingPlan, HasOnlySharesWhereNoEndIsKnown) {
  config_.train.steps.reset();
  config_.train.max_minutes = 1;
  config_.data.phases = {{{}, {}, 6, {{"b", 6}}}};
  EXPECT_EQ(row(text(), "from the start, 576", "a"), "a 4.40k 432 0.7500 0.098");
  EXPECT_EQ(row(text(), "from 576 tokens on:", "b"), "b 1.83k 0.6667");
  EXPECT_THAT(text(), Not(HasSubstr("in all")));
  EXPECT_TRUE(warnings().empty());
}

TEST_F(ReadingPlan, ALimitNeedsAKnownEnd) {
  config_.train.steps.reset();
  config_.train.max_minutes = 1;
  config_.data.max_epochs = 4;
  EXPECT_EQ(input_error_of([&] { warnings(); }),
            "data.max_epochs: only train.max_minutes limits the run, and how often it reads a "
            "source in that time is not known: set train.tokens, epochs or steps, too");
  config_.data.max_epochs.reset();
  config_.data.sources = {{"a", "", {}}, {"b", "", {}, false, 4.0}};
  EXPECT_THAT(input_error_of([&] { warnings(); }), HasSubstr("only train.max_minutes limits"));
  config_.train.epochs = 2;
  EXPECT_TRUE(warnings().empty());
}

TEST_F(ReadingPlan, RepetitionOverTheWholeRunIsWarnedOf) {
  config_.train.steps = 250;
  EXPECT_THAT(warnings(), ElementsAre(HasSubstr("source 'a' is read 4.10 times: beyond about 4")));
  config_.train.steps = 244;
  EXPECT_TRUE(warnings().empty()) << "732 windows of 183";
  add_phase(0.9, {{"b", 9}});
  EXPECT_TRUE(warnings().empty());
  branch_ = BranchState{"x", 0, 0, 0, 1, {{"b", data_->sources[1].train.checksum(), 24, 200}}};
  EXPECT_THAT(warnings(), ElementsAre(HasSubstr("source 'b' is read 6.47 times")))
      << "by the run before, too";
}

// Of b, 76 windows, a step of 512 reads 16: its limit gives way by those, not by the whole step.
TEST_F(ReadingPlan, ALimitGivesWayByWhatTheLastStepReads) {
  config_.train.global_batch = 512;
  config_.data.sources = {{"a", "", 31.0}, {"b", "", 1.0}};
  data_ = std::make_shared<const PreparedData>(open_prepared(config_.data));
  config_.train.steps = 20;
  EXPECT_THAT(warnings(), ElementsAre(HasSubstr("source 'a'"))) << "320 of 304 + 16";
  config_.train.steps = 21;
  EXPECT_THAT(warnings(),
              ElementsAre(HasSubstr("source 'a'"), HasSubstr("'b' is read 4.42 times")));
  config_.data.sources[0].max_epochs = 100;
  config_.data.sources[1].max_epochs = 4;
  EXPECT_THAT(input_error_of([&] { warnings(); }), HasSubstr("'b' is read 4.42 times in all"));
  config_.train.steps = 20;
  EXPECT_TRUE(warnings().empty());
  config_.train.steps = 21;
  config_.data.phases = {{{}, {}, 20, {{"b", 0}}}};
  EXPECT_THAT(input_error_of([&] { warnings(); }), HasSubstr("'b' is read 4.21 times in all"))
      << "the last step reads none of it";
}

TEST_F(ReadingPlan, MoreThanItsLimitIsRefused) {
  config_.train.steps = 122;  // 366 of a, twice, and 122 of b
  config_.data.max_epochs = 2;
  EXPECT_TRUE(warnings().empty());
  config_.data.max_epochs = 1.95;
  EXPECT_EQ(input_error_of([&] { warnings(); }),
            "data.max_epochs: source 'a' is read 2.00 times in all, and its limit is 1.95: lower "
            "its weight, add data, or shorten the run (`fathom data mix` finds weights that keep "
            "to limits)");
  config_.data.sources = {{"a", "", {}, false, 3.0}, {"b", "", {}}};
  EXPECT_TRUE(warnings().empty()) << "a source's own limit counts";
  config_.data.max_epochs = 5;
  config_.data.sources[1].max_epochs = 1;
  EXPECT_THAT(input_error_of([&] { warnings(); }), HasSubstr("source 'b' is read 1.61 times"));
  config_.data.directory = dir_ / "out";
  config_.train.steps = 122;
  EXPECT_THAT(input_error_of([&] { run(config_); }), HasSubstr("source 'b' is read"));
  EXPECT_FALSE(std::filesystem::exists(config_.output + "/config.toml"));
  for (const double limit : {0.0, -1.0, double(NAN)}) {
    config_.data.max_epochs = limit;
    EXPECT_THAT(input_error_of([&] { run(config_); }), HasSubstr("data.max_epochs is"));
  }
}

}  // namespace
}  // namespace fathom

// Runs whose data's mix changes on the way: that any interruption and layout gives the same, and
// what a resumed run may still change.
#include <gmock/gmock.h>

#include <filesystem>

#include "train/branch.h"
#include "train/data_phases.h"
#include "train/phases.h"
#include "train/small_run.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using namespace test;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// Runs of 12 steps of 4 samples, whose mix changes with the 25th sample, a step's first, and with
// the 31st, amid a step.
class PhasedRun : public testing::Test {
 protected:
  void SetUp() override {
    prepare(dir_);
    whole_ = phased("whole");
    ASSERT_EQ(run(whole_), 0);
  }

  TrainConfig phased(const std::string& output) const {
    TrainConfig config = tiny(dir_, output);
    config.data.phases = {at_share(0.5, {{"b", 6}}), at_tokens(30 * 24, {{"a", 0}})};
    config.checkpoint.every_steps = config.checkpoint.keep_every = 0;
    // A save that is to be kept waits for the one before.
    for (int step = 1; step < total_steps; ++step) {
      config.checkpoint.keep_tokens.push_back(step * 96);
    }
    return config;
  }
  // A run whose newest checkpoint is that of `step` of `from`.
  TrainConfig cut(const std::string& output, std::int64_t step, const TrainConfig& from) const {
    TrainConfig config = phased(output);
    fs::create_directories(config.output + "/checkpoints");
    fs::copy(checkpoint_of(from, step), checkpoint_of(config, step), fs::copy_options::recursive);
    return config;
  }
  TrainConfig cut(const std::string& output, std::int64_t step) const {
    return cut(output, step, whole_);
  }
  std::string refusal(const TrainConfig& config) {
    return input_error_of([&] { run(config); });
  }
  TrainingState end_of(const TrainConfig& config, std::int64_t step = total_steps) const {
    TrainingState state = Checkpoint(checkpoint_of(config, step)).state();
    state.elapsed_seconds = 0;
    state.config_toml.clear();
    return state;
  }
  void expect_same_end(const TrainConfig& config) {
    EXPECT_EQ(tensors_of(checkpoint_of(config, total_steps)),
              tensors_of(checkpoint_of(whole_, total_steps)));
    TrainingState end = end_of(config);
    end.branch.reset();
    EXPECT_EQ(end.guard, end_of(whole_).guard);
    EXPECT_EQ(end.tokens, end_of(whole_).tokens);
  }

  TempDir dir_;
  TrainConfig whole_;
};

TEST_F(PhasedRun, ReadsWhatItsPhasesSay) {
  const DataState data = end_of(whole_).data.value();
  ASSERT_EQ(data.phases.size(), 2u);
  EXPECT_EQ(data.phases[0].first_sample, 24);
  EXPECT_EQ(data.phases[0].step, 6);
  EXPECT_EQ(data.phases[0].sources.size(), 2u);
  EXPECT_EQ(data.phases[1].first_sample, 30);
  EXPECT_EQ(data.phases[1].step, 0);
  ASSERT_EQ(data.phases[1].sources.size(), 1u);
  EXPECT_EQ(data.phases[1].sources[0].name, "b");
  EXPECT_THAT(
      metric_of(whole_, metric::data_phase),
      ElementsAre(Pair(1, 1), Pair(2, 1), Pair(3, 1), Pair(4, 1), Pair(5, 1), Pair(6, 1),
                  Pair(7, 2), Pair(8, 3), Pair(9, 3), Pair(10, 3), Pair(11, 3), Pair(12, 3)));
  // 24 samples at 3 to 1, 6 at 3 to 6, 18 of b alone.
  const std::vector<SourceReading> read = readings_until(end_of(whole_));
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].windows, 18 + 2);
  EXPECT_EQ(read[1].windows, 6 + 4 + 18);
  EXPECT_TRUE(end_of(whole_, 6).data->phases.empty()) << "none has begun";
  EXPECT_EQ(end_of(whole_, 7).data->phases.size(), 1u);
  EXPECT_THAT(metric_of(tiny(dir_, "whole"), metric::loss).size(), 12u);
}

TEST_F(PhasedRun, AnInterruptionAnywhereChangesNothing) {
  for (const std::int64_t step : {5, 6, 7, 8, 11}) {
    const TrainConfig resumed = cut("cut" + std::to_string(step), step);
    ASSERT_EQ(run(resumed), 0) << step;
    expect_same_end(resumed);
    EXPECT_EQ(end_of(resumed), end_of(whole_)) << step;
  }
}

TEST_F(PhasedRun, ARunOfOtherDataAllTheWayIsNotThis) {
  TrainConfig plain = tiny(dir_, "plain");
  ASSERT_EQ(run(plain), 0);
  EXPECT_NE(tensors_of(checkpoint_of(plain, total_steps)),
            tensors_of(checkpoint_of(whole_, total_steps)));
  const auto first = metric_of(plain, metric::loss), phased = metric_of(whole_, metric::loss);
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_EQ(first[i] == phased[i], i < 6) << "step " << i + 1;
  }
}

TEST_F(PhasedRun, AnyLayoutReadsTheSame) {
  TrainConfig four = phased("four");
  four.parallel.dp = four.parallel.tp = 2;
  four.train.micro_batch = 1;
  ASSERT_EQ(run(four, "auto", 4), 0);
  const auto expected = metric_of(whole_, metric::loss), losses = metric_of(four, metric::loss);
  ASSERT_EQ(losses.size(), expected.size());
  for (std::size_t i = 0; i < losses.size(); ++i) {
    EXPECT_NEAR(losses[i].second / expected[i].second, 1, 1e-4) << losses[i].first;
  }
  EXPECT_EQ(end_of(four).data, end_of(whole_).data);
  TrainConfig one = cut("one", 7, four);
  EXPECT_EQ(run(one), 0) << "on a layout of its own";
}

TEST_F(PhasedRun, WhatIsToComeMayChange) {
  TrainConfig later = cut("later", 6);
  later.data.phases = {at_step(6, {{"b", 2}}), at_step(10, {{"b", 0}})};
  ASSERT_EQ(run(later), 0) << "nothing of the first phase was trained";
  ASSERT_EQ(end_of(later).data->phases.size(), 2u);
  EXPECT_EQ(end_of(later).data->phases[1].first_sample, 40);
  TrainConfig longer = cut("longer", total_steps);
  longer.data.phases[0] = at_step(6, {{"b", 6}});
  longer.data.phases.push_back(at_step(13, {{"a", 1}}));
  longer.train.steps = 14;
  ASSERT_EQ(run(longer), 0);
  EXPECT_EQ(end_of(longer, 14).data->phases.size(), 3u);
  EXPECT_EQ(readings_until(end_of(longer, 14))[0].windows, 20 + 1);
}

TEST_F(PhasedRun, WhatWasTrainedMayNotChange) {
  const auto with = [&](std::vector<MixPhaseConfig> phases, std::int64_t steps = total_steps) {
    TrainConfig config = cut("refused", 8);
    config.data.phases = std::move(phases);
    config.train.steps = steps;
    const std::string message = refusal(config);
    EXPECT_FALSE(fs::exists(config.output + "/config.toml")) << message;
    EXPECT_THAT(message, AllOf(HasSubstr(checkpoint_of(config, 8)),
                               HasSubstr("--set continue_from=" + checkpoint_of(config, 8))));
    fs::remove_all(config.output);
    return message;
  };
  const std::vector<MixPhaseConfig> phases = whole_.data.phases;
  EXPECT_THAT(with({}), HasSubstr("the weights of its sources changed after 576 tokens, and no "
                                  "phase of data.phases begins there (begin_tokens = 576); phases "
                                  "may only change where nothing is trained yet, after 768 "
                                  "tokens"));
  EXPECT_THAT(with({phases[0]}), HasSubstr("changed after 720 tokens"));
  EXPECT_THAT(with({at_step(2, {{"b", 6}}), phases[0], phases[1]}),
              HasSubstr("data.phases has a phase that begins after 192 tokens, of 768 that were "
                        "trained without it"));
  EXPECT_THAT(with({phases[0], at_tokens(31 * 24, {{"a", 0}})}),
              HasSubstr("changed after 720 tokens"));
  EXPECT_THAT(with({phases[0], phases[1], at_tokens(31 * 24, {{"a", 1}})}),
              HasSubstr("has a phase that begins after 744 tokens"));
  EXPECT_THAT(with({at_share(0.5, {{"b", 5}}), phases[1]}),
              HasSubstr("in the phase of data.phases that began after 576 tokens the weights "
                        "differ"));
  EXPECT_THAT(with({phases[0], at_tokens(30 * 24, {{"a", 1}})}),
              HasSubstr("that began after 720 tokens source 'a' is new"));
  // The same share of another total is another place.
  EXPECT_THAT(with({phases[0]}, 14), HasSubstr("changed after 576 tokens"));
  TrainConfig same = cut("same", 8);
  same.data.phases = {at_tokens(576, {{"a", 1}, {"b", 2}}), at_step(7, {{"b", 2}}), phases[1]};
  EXPECT_THAT(refusal(same), HasSubstr("begins after 672 tokens")) << "as it stands in the config";
  same.data.phases = {at_tokens(576, {{"a", 1}, {"b", 2}}), phases[1]};
  ASSERT_EQ(run(same), 0) << "said otherwise";
  expect_same_end(same);
}

// The step in which a phase began stays where it was.
TEST_F(PhasedRun, ABatchOfAnotherSizeMovesNoPhase) {
  TrainConfig larger = cut("larger", 8);
  larger.train.global_batch = 8;
  ASSERT_EQ(run(larger), 0);
  const DataState data = end_of(larger).data.value();
  EXPECT_EQ(data.next_sample, 32 + 4 * 8);
  EXPECT_EQ(data.phases, end_of(whole_).data->phases);
  TrainConfig again = larger;
  again.train.global_batch = 2;
  again.train.micro_batch = 2;
  again.train.steps = 13;
  again.data.phases[0] = at_step(6, {{"b", 6}});
  EXPECT_EQ(run(again), 0) << "the sixth step of 4 though steps are of 8 since";
  TrainConfig earlier = cut("earlier", 5);
  earlier.train.global_batch = 8;
  ASSERT_EQ(run(earlier), 0);
  EXPECT_EQ(end_of(earlier).data->phases[0].first_sample, 5 * 4 + 8) << "after six steps";
  EXPECT_EQ(end_of(earlier).data->phases[1].first_sample, 30) << "a place in tokens";
}

TEST_F(PhasedRun, TheGuardLearnsTheNewMixAnew) {
  EXPECT_EQ(end_of(whole_, 6).guard->seen, 6);
  EXPECT_EQ(end_of(whole_, 7).guard->seen, 1);
  EXPECT_EQ(end_of(whole_, 8).guard->seen, 1) << "its last samples are of the third";
  EXPECT_EQ(end_of(whole_).guard->seen, 5);
}

TEST_F(PhasedRun, TheEndOfAPhaseIsKept) {
  TrainConfig keeping = phased("keeping");
  keeping.checkpoint.keep_tokens.clear();
  keeping.checkpoint.keep_last = 1;
  keeping.checkpoint.keep_phase_ends = true;
  keeping.schedule.kind = ScheduleKind::constant;
  ASSERT_EQ(run(keeping), 0);
  EXPECT_THAT(checkpoint_steps(keeping.output + "/checkpoints"), ElementsAre(6, 8, 12));
}

TEST_F(PhasedRun, ARunThatContinuesItGoesOnWithinItsPhase) {
  for (const std::int64_t step : {5, 6, 7, 8, 10}) {
    TrainConfig branch = phased("branch" + std::to_string(step));
    branch.continue_from = whole_.output + "@" + std::to_string(step);
    ASSERT_EQ(run(branch), 0) << step;
    expect_same_end(branch);
    EXPECT_EQ(readings_until(end_of(branch)), readings_until(end_of(whole_))) << step;
  }
  TrainConfig branch = phased("resumed");
  fs::create_directories(branch.output + "/checkpoints");
  fs::copy(checkpoint_of(phased("branch5"), 9), checkpoint_of(branch, 9),
           fs::copy_options::recursive);
  branch.continue_from = whole_.output + "@5";
  ASSERT_EQ(run(branch), 0);
  expect_same_end(branch);
}

TEST_F(PhasedRun, OneThatContinuesItMayHaveOtherPhases) {
  TrainConfig other = phased("other");
  other.continue_from = whole_.output + "@8";
  other.data.phases = {at_step(10, {{"a", 0}})};
  ASSERT_EQ(run(other), 0);
  const std::vector<SourceReading> read = readings_until(end_of(other));
  EXPECT_EQ(read[0].windows, 20 + 6) << "3 of 4 of 8 samples, behind those that were read";
  EXPECT_EQ(read[1].windows, 12 + 2 + 8);
}

// A source that is read only later, in a phase that was added when a part was trained.
TEST_F(PhasedRun, ItsConfigStartsTheSameRunAgain) {
  TrainConfig again = load_train_config(whole_.output + "/config.toml");
  again.output = dir_ / "again";
  ASSERT_EQ(run(again), 0);
  expect_same_end(again);
}

TEST_F(PhasedRun, AContinuedRunThatIsAtItsEndSaysSo) {
  TrainConfig ended = phased("ended");
  ended.continue_from = whole_.output + "@8";
  ended.data.phases.clear();
  ended.train.steps = 5;
  EXPECT_THAT(refusal(ended), HasSubstr("are all that this run is to have"));
}

TEST_F(PhasedRun, ASourceMayComeLater) {
  PrepareConfig more = sample_config(dir_);
  more.output = dir_ / "more";
  more.sources = {lines_source(dir_, "c", 120, 1.0)};
  prepare_data(more, byte_encoder());
  TrainConfig config = tiny(dir_, "run");
  config.data.sources = {{"a", "", 3.0}, {"b", "", 1.0}};
  config.train.steps = 4;
  ASSERT_EQ(run(config), 0);
  config.train.steps = 8;
  config.data.sources.push_back({"c", dir_ / "more", 0.0});
  config.data.phases = {at_step(5, {{"c", 4}})};
  ASSERT_EQ(run(config), 0);
  EXPECT_EQ(end_of(config, 8).data->phases[0].sources.size(), 3u);
  EXPECT_EQ(readings_until(end_of(config, 8))[2].windows, 6) << "half of 12";
  config.continue_from = config.output;
  config.output = dir_ / "next";
  config.train.steps = 9;
  config.train.sequence_length = 23;
  EXPECT_THAT(refusal(config), HasSubstr("was read in sequences of 24 tokens"));
  config.train.sequence_length = 24;
  more.sources = {lines_source(dir_, "c", 130, 1.0)};
  prepare_data(more, byte_encoder(), Overwrite::yes);
  config.data.phases = {at_step(8, {{"a", 1}}), at_step(9, {{"c", 4}})};
  config.train.steps = 10;
  EXPECT_THAT(refusal(config), HasSubstr("source 'c' is other text than what was read"));
}

TEST_F(PhasedRun, AnImpossiblePhaseIsRefusedBeforeAnything) {
  TrainConfig config = phased("refused");
  config.data.phases[1].weights = {{"aa", 1}};
  EXPECT_THAT(refusal(config), HasSubstr("no source 'aa'; did you mean 'a'?"));
  config.data.phases = {at_step(12, {{"a", 1}})};
  EXPECT_THAT(refusal(config), HasSubstr("but the run ends after 1152"));
  EXPECT_FALSE(fs::exists(config.output));
}

}  // namespace
}  // namespace fathom

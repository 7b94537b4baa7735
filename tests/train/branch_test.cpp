// Runs that continue another one: the same bits where nothing differs, nothing read twice, the
// rates of the new total, and what is refused.
#include "train/branch.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <thread>

#include "train/small_run.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using namespace test;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

constexpr std::int64_t step_tokens = 4 * 24;

// A run of 12 steps that warms up in the first two, and keeps the checkpoint of its 60 %.
TrainConfig by_tokens(const TempDir& dir, const std::string& output, std::int64_t steps) {
  TrainConfig config = tiny(dir, output);
  config.train.steps.reset();
  config.train.tokens = steps * step_tokens;
  config.schedule.warmup_steps = 2;
  config.schedule.milestones = {0.6, 0.8};
  config.checkpoint.every_steps = config.checkpoint.keep_every = 0;
  config.checkpoint.keep_last = 1;
  config.checkpoint.keep_phase_ends = true;
  return config;
}

TrainingState state_of(const std::string& checkpoint) {
  return Checkpoint(checkpoint).state();
}

// Without what differs between any two runs.
TrainingState comparable(TrainingState state) {
  state.elapsed_seconds = 0;
  state.config_toml.clear();
  state.branch.reset();
  return state;
}

std::string log_of_run(const TrainConfig& config, const std::string& resume = "auto",
                       int ranks = 1) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(run(config, resume, ranks), 0);
  return testing::internal::GetCapturedStderr();
}

std::vector<std::pair<std::int64_t, double>> after(
    std::int64_t step, std::vector<std::pair<std::int64_t, double>> values) {
  std::erase_if(values, [step](const auto& value) { return value.first <= step; });
  return values;
}

// Stopped by a signal after its first step.
int run_until_signal(const TrainConfig& config) {
  Runtime runtime(Signals::stop_runs, gemm_peak);
  EXPECT_EQ(kill(getpid(), SIGTERM), 0);
  while (runtime.stop_signal() == 0) std::this_thread::yield();
  return train(runtime, config, {});
}

// The windows of each source that a checkpoint's run has read as its last `samples` samples.
std::map<std::string, std::vector<std::int64_t>> windows_of(const TrainConfig& config,
                                                            std::int64_t step) {
  const TrainingState state = state_of(checkpoint_of(config, step));
  const auto data = std::make_shared<const PreparedData>(open_prepared(config.data));
  TrainPlan plan = resolve(config, facts_of(*data, config.data));
  plan.branch = state.branch;
  const Sampler sampler(data, config.train.sequence_length, 1, AttentionSpan::sequence,
                        sampler_start(plan, *data));
  EXPECT_EQ(state.data.value().sample_order, sampler.fingerprint());
  std::map<std::string, std::vector<std::int64_t>> windows;
  for (std::int64_t i = state.branch ? state.branch->next_sample : 0; i < state.data->next_sample;
       ++i) {
    const Sampler::Place place = sampler.place(i);
    windows[data->sources[std::size_t(place.source)].name].push_back(place.window);
  }
  return windows;
}

class Continued : public testing::Test {
 protected:
  void SetUp() override {
    prepare(dir_);
    PrepareConfig more = sample_config(dir_);
    more.output = dir_ / "more";
    more.sources = {lines_source(dir_, "c", 120, 1.0)};
    prepare_data(more, byte_encoder());
    whole_ = by_tokens(dir_, "whole", 12);
    ASSERT_EQ(run(whole_), 0);
  }

  // Goes on from the end of the first phase of `whole_`.
  TrainConfig branch(const std::string& output, std::int64_t steps) const {
    TrainConfig config = by_tokens(dir_, output, steps);
    config.continue_from = whole_.output + "@8";
    return config;
  }
  std::string refusal(const TrainConfig& config) {
    const std::string message = input_error_of([&] { run(config); });
    EXPECT_FALSE(fs::exists(config.output + "/config.toml")) << message;
    return message;
  }

  TempDir dir_;
  TrainConfig whole_;
};

// 60 % of 12 steps are passed after the eighth.
TEST_F(Continued, TheEndOfTheFirstPhaseIsKept) {
  EXPECT_THAT(checkpoint_steps(whole_.output + "/checkpoints"), ElementsAre(8, 10, 12));
  EXPECT_TRUE(fs::exists(checkpoint_of(whole_, 8) + "/keep"));
  EXPECT_TRUE(fs::exists(checkpoint_of(whole_, 10) + "/keep"));
  EXPECT_FALSE(fs::exists(checkpoint_of(whole_, 12) + "/keep"));
  const auto rates = metric_of(whole_, metric::learning_rate);
  EXPECT_EQ(rates[7].second, 1e-2);
  EXPECT_LT(rates[8].second, 0.4e-2);
}

// Its own step's, though the save of the seventh is still under way; and when a signal ends the run
// there.
TEST_F(Continued, WhatIsKeptIsOfThatVeryStep) {
  TrainConfig slow = by_tokens(dir_, "slow", 12);
  slow.checkpoint.every_steps = 7;
  slow.checkpoint.max_write_megabytes = 4;
  ASSERT_EQ(run(slow), 0);
  EXPECT_TRUE(fs::exists(checkpoint_of(slow, 8) + "/keep"));
  EXPECT_EQ(tensors_of(checkpoint_of(slow, 8)), tensors_of(checkpoint_of(whole_, 8)));
  TrainConfig stopped = by_tokens(dir_, "stopped", 12);
  stopped.checkpoint.keep_tokens = {step_tokens};
  EXPECT_EQ(run_until_signal(stopped), SIGTERM);
  EXPECT_TRUE(fs::exists(checkpoint_of(stopped, 1) + "/keep"));
}

TEST_F(Continued, TheSameBitsWhereNothingDiffers) {
  const TrainConfig same = branch("same", 12);
  EXPECT_THAT(log_of_run(same),
              AllOf(HasSubstr("continuing " + checkpoint_of(whole_, 8) + " at step 8, after 768"),
                    HasSubstr("source 'a': 0.131 epochs were read before"), Not(HasSubstr("rises")),
                    HasSubstr("step 12/12")));
  EXPECT_EQ(tensors_of(checkpoint_of(same, 12)), tensors_of(checkpoint_of(whole_, 12)));
  for (const auto name : {metric::loss, metric::gradient_norm, metric::learning_rate,
                          metric::tokens, metric::validation_loss}) {
    EXPECT_EQ(metric_of(same, name), after(8, metric_of(whole_, name))) << name;
  }
  const TrainingState end = state_of(checkpoint_of(same, 12));
  EXPECT_EQ(comparable(end), comparable(state_of(checkpoint_of(whole_, 12))));
  ASSERT_TRUE(end.branch);
  EXPECT_EQ(end.branch->checkpoint, checkpoint_of(whole_, 8));
  EXPECT_EQ(end.branch->step, 8);
  EXPECT_EQ(end.branch->tokens, 768);
  EXPECT_EQ(end.branch->next_sample, 32);
  ASSERT_EQ(end.branch->read.size(), 2u);
  EXPECT_EQ(end.branch->read[0].windows, 24) << "three of four";
  EXPECT_EQ(end.branch->read[1].windows, 8);
  EXPECT_THAT(read_file(same.output + "/config.toml"),
              HasSubstr("continue_from = \"" + checkpoint_of(whole_, 8) + "\""));
  EXPECT_THAT(read_file(same.output + "/report.html"), HasSubstr("whole, step 8"));
}

// A run of the first phase alone, which did not know of the rest.
TEST_F(Continued, ARunOfTheFirstPhaseIsAsGoodAsTheWhole) {
  TrainConfig first = by_tokens(dir_, "first", 8);
  first.schedule.kind = ScheduleKind::constant;
  ASSERT_EQ(run(first), 0);
  TrainConfig rest = branch("rest", 12);
  rest.continue_from = first.output;
  ASSERT_EQ(run(rest), 0);
  EXPECT_EQ(tensors_of(checkpoint_of(rest, 12)), tensors_of(checkpoint_of(whole_, 12)));
}

TEST_F(Continued, TwiceTheTokensIsARunThatWasPlannedSo) {
  TrainConfig planned = by_tokens(dir_, "planned", 24);
  ASSERT_EQ(run(planned), 0);
  const TrainConfig longer = branch("longer", 24);
  EXPECT_THAT(log_of_run(longer), Not(HasSubstr("rises"))) << "no step was taken at a lower one";
  EXPECT_EQ(tensors_of(checkpoint_of(longer, 24)), tensors_of(checkpoint_of(planned, 24)));
  EXPECT_EQ(metric_of(longer, metric::loss), after(8, metric_of(planned, metric::loss)));
  const double drop = 0.31622776601683794;
  for (const auto& [step, rate] : metric_of(longer, metric::learning_rate)) {
    const double seen = double(step - 1) / 24;
    EXPECT_DOUBLE_EQ(rate, 1e-2 * (seen < 0.6 ? 1 : seen < 0.8 ? drop : 0.1)) << step;
  }
  EXPECT_THAT(checkpoint_steps(longer.output + "/checkpoints"), ElementsAre(15, 20, 24));
}

// Other weights and another source: each of the old ones goes on where it was, until all of it is
// read.
TEST_F(Continued, NothingIsReadTwice) {
  TrainConfig other = branch("other", 100);
  other.data.sources = {{"b", "", 3.0}, {"c", dir_ / "more", 1.0}, {"a", "", 2.0}};
  other.train.global_batch = 8;
  other.schedule.peak = 1e-3;
  other.validation.every_steps = 0;
  EXPECT_THAT(log_of_run(other), AllOf(HasSubstr("source 'b': 0.105 epochs were read"),
                                       HasSubstr("source 'c': 0.000 epochs were read")));
  const std::int64_t end = 8 + 46;
  EXPECT_THAT(metric_of(other, metric::tokens).back(), Pair(end, 100 * step_tokens));
  EXPECT_EQ(metric_of(other, metric::tokens).front(), std::pair(std::int64_t{9}, 960.0));
  const auto before = windows_of(whole_, 8), then = windows_of(other, end);
  EXPECT_EQ(then.at("a").size() + then.at("b").size() + then.at("c").size(), 46u * 8);
  std::map<std::string, std::set<std::int64_t>> seen;
  for (const std::string name : {"a", "b", "c"}) {
    std::vector<std::int64_t> all;
    if (before.contains(name)) all = before.at(name);
    all.insert(all.end(), then.at(name).begin(), then.at(name).end());
    const auto data = open_prepared(other.data);
    const auto source = std::ranges::find(data.sources, name, &PreparedSource::name);
    const std::size_t windows = std::size_t(source->train.tokens() / 24);
    const std::size_t first = std::min(windows, all.size());
    EXPECT_EQ(std::set(all.begin(), all.begin() + std::ptrdiff_t(first)).size(), first) << name;
    EXPECT_EQ(all.size() > windows, name == "b") << "into its second epoch";
  }
}

// What the first run had read is remembered over a run that left it out.
TEST_F(Continued, AThirdRunGoesOnWithTheDataOfTheFirst) {
  TrainConfig second = branch("second", 16);
  second.data.sources = {{"c", dir_ / "more", 1.0}};
  second.train.sequence_length = 32;
  ASSERT_EQ(run(second), 0);
  EXPECT_EQ(windows_of(second, 14).size(), 1u);
  TrainConfig third = by_tokens(dir_, "third", 24);
  third.continue_from = second.output;
  ASSERT_EQ(run(third), 0);
  const std::int64_t last_step = 14 + 8;  // 768 tokens in steps of 128, and as many again of 96
  const auto first = windows_of(whole_, 8), last = windows_of(third, last_step);
  const Sampler uninterrupted(std::make_shared<const PreparedData>(open_prepared(third.data)), 24,
                              1);
  std::map<std::string, std::vector<std::int64_t>> expected;
  for (std::int64_t i = 0; std::ssize(expected["a"]) < 24 + std::ssize(last.at("a")); ++i) {
    const Sampler::Place place = uninterrupted.place(i);
    if (place.source == 0) expected["a"].push_back(place.window);
  }
  std::vector<std::int64_t> all = first.at("a");
  all.insert(all.end(), last.at("a").begin(), last.at("a").end());
  EXPECT_EQ(all, expected["a"]);
  const TrainingState end = state_of(checkpoint_of(third, last_step));
  ASSERT_EQ(end.branch.value().read.size(), 3u);
  EXPECT_EQ(end.branch->read[2].name, "c");
  EXPECT_EQ(end.branch->read[2].sequence_length, 32);
  EXPECT_EQ(end.branch->read[2].windows, 6 * 4);
}

// When the first run is gone.
TEST_F(Continued, ResumesItsOwnCheckpoints) {
  TrainConfig other = branch("other", 20);
  other.data.sources = {{"b", "", 3.0}, {"a", "", 1.0}};
  ASSERT_EQ(run(other), 0);
  TrainConfig cut = other;
  cut.output = dir_ / "cut";
  EXPECT_EQ(run_until_signal(cut), SIGTERM);
  EXPECT_THAT(checkpoint_steps(cut.output + "/checkpoints"), ElementsAre(9));
  const std::string kept = dir_ / "kept";
  fs::rename(whole_.output, kept);
  EXPECT_THAT(log_of_run(cut), HasSubstr("resuming " + checkpoint_of(cut, 9)));
  EXPECT_EQ(tensors_of(checkpoint_of(cut, 20)), tensors_of(checkpoint_of(other, 20)));
  EXPECT_EQ(comparable(state_of(checkpoint_of(cut, 20))),
            comparable(state_of(checkpoint_of(other, 20))));
  cut.continue_from.clear();
  cut.train.tokens = 21 * step_tokens;
  EXPECT_THAT(log_of_run(cut), HasSubstr("resuming")) << "as its config.toml would";
  EXPECT_EQ(windows_of(cut, 21).at("b").size(), 39u);
}

TEST_F(Continued, AWarmUpIsNotRepeated) {
  TrainConfig longer = branch("longer", 16);
  longer.schedule.warmup_steps = 1000;
  longer.schedule.max_warmup = 1;
  ASSERT_EQ(run(longer), 0);
  EXPECT_EQ(metric_of(longer, metric::learning_rate).front(), std::pair(std::int64_t{9}, 1e-2));

  TrainConfig slow = by_tokens(dir_, "slow", 12);
  slow.schedule.warmup_steps = 10;
  slow.schedule.max_warmup = 1;
  slow.schedule.kind = ScheduleKind::constant;
  slow.checkpoint.keep_tokens = {4 * step_tokens};
  ASSERT_EQ(run(slow), 0);
  EXPECT_THAT(checkpoint_steps(slow.output + "/checkpoints"), ElementsAre(4, 12));
  TrainConfig slower = slow;
  slower.output = dir_ / "slower";
  slower.continue_from = checkpoint_of(slow, 4);
  slower.schedule.warmup_steps = 20;
  slower.schedule.max_warmup = 0.9;
  ASSERT_EQ(run(slower), 0);
  const auto rates = metric_of(slower, metric::learning_rate);
  EXPECT_EQ(rates.front(), std::pair(std::int64_t{5}, 0.5e-2)) << "what the first would have had";
  EXPECT_DOUBLE_EQ(rates[1].second, 0.5e-2) << "until its own is as high";
  EXPECT_DOUBLE_EQ(rates.back().second, 1e-2);
}

TEST_F(Continued, ARateThatRisesAgainIsAWarning) {
  TrainConfig late = branch("late", 24);
  late.continue_from = whole_.output;
  EXPECT_THAT(log_of_run(late), HasSubstr("had fallen to 10.0 % of its peak there and now rises to "
                                          "100.0 %"));
  EXPECT_EQ(metric_of(late, metric::learning_rate).front(), std::pair(std::int64_t{13}, 1e-2));
}

// Beyond the new first phase at once.
TEST_F(Continued, AShorterTotalBeginsInItsLaterPhases) {
  TrainConfig shorter = branch("shorter", 9);
  ASSERT_EQ(run(shorter), 0);
  EXPECT_THAT(metric_of(shorter, metric::learning_rate), ElementsAre(Pair(9, 1e-3)));
}

TEST_F(Continued, TheGuardLearnsOtherDataAnew) {
  const TrainConfig same = branch("same", 12);
  ASSERT_EQ(run(same), 0);
  EXPECT_EQ(state_of(checkpoint_of(same, 12)).guard.value().seen, 12);
  TrainConfig other = branch("other", 12);
  other.data.sources = {{"c", dir_ / "more", 1.0}};
  ASSERT_EQ(run(other), 0);
  EXPECT_EQ(state_of(checkpoint_of(other, 12)).guard.value().seen, 4);
}

TEST_F(Continued, OnAnotherLayout) {
  TrainConfig one = branch("one", 12);
  ASSERT_EQ(run(one), 0);
  TrainConfig four = branch("four", 12);
  four.parallel.pp = four.parallel.tp = 2;
  four.train.micro_batch = 2;
  ASSERT_EQ(run(four, "auto", 4), 0);
  const auto expected = metric_of(one, metric::loss), losses = metric_of(four, metric::loss);
  ASSERT_EQ(losses.size(), 4u);
  for (std::size_t i = 0; i < losses.size(); ++i) {
    EXPECT_NEAR(losses[i].second / expected[i].second, 1, 1e-5);
  }
  TrainConfig again = branch("again", 16);
  again.continue_from = four.output;
  EXPECT_EQ(run(again), 0);
}

TEST_F(Continued, AnotherRunIsRefused) {
  const auto with = [&](auto change) {
    TrainConfig config = branch("refused", 12);
    change(config);
    return refusal(config);
  };
  EXPECT_THAT(with([](auto& c) { c.model.hidden_size = 64; }),
              AllOf(HasSubstr(checkpoint_of(whole_, 8)), HasSubstr("model.hidden_size is 32")));
  EXPECT_THAT(with([](auto& c) { c.seed = 2; }), HasSubstr("the seed is 2, and was 1"));
  EXPECT_THAT(with([](auto& c) { c.train.sequence_length = 32; }),
              HasSubstr("source 'a' was read in sequences of 24 tokens, and train.sequence_length "
                        "is 32"));
  EXPECT_THAT(with([](auto& c) { c.train.tokens = 8 * step_tokens; }),
              HasSubstr("its 8 steps and 768 tokens are all that this run is to have: raise "
                        "train.tokens"));
  EXPECT_THAT(with([&](auto& c) { c.init_from = whole_.output; }),
              HasSubstr("init_from and continue_from: give one of them"));
  EXPECT_THAT(with([&](auto& c) { c.continue_from = whole_.output + "@7"; }),
              HasSubstr("holds no checkpoint of step 7, but step-00000012, step-00000010, "
                        "step-00000008"));
  EXPECT_THAT(with([&](auto& c) { c.continue_from = dir_ / "nowhere@7"; }),
              HasSubstr("nowhere: is no directory; name a checkpoint or a run's directory"));
  ASSERT_EQ(mkfifo((dir_ / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(with([&](auto& c) { c.continue_from = dir_ / "fifo"; }),
              HasSubstr("fifo: is no directory"));
  auto encoder = byte_encoder();
  encoder.hash = 0x77;
  prepare_data(sample_config(dir_), encoder, Overwrite::yes);
  EXPECT_THAT(with([](auto&) {}), HasSubstr("it was made with tokenizer"));
}

TEST_F(Continued, TextThatCannotBeToldFromWhatWasReadIsRefused) {
  TrainConfig config = branch("refused", 12);
  PrepareConfig changed = sample_config(dir_);
  changed.sources = {lines_source(dir_, "a", 210, 3.0), lines_source(dir_, "b", 90, 1.0)};
  changed.output = dir_ / "changed";
  prepare_data(changed, byte_encoder());
  config.data.directory = changed.output;
  EXPECT_THAT(refusal(config), HasSubstr("source 'a' is other text than what was read under this "
                                         "name"));
  config.data.sources = {{"a", "", 1.0, true}, {"b", "", 1.0, false}};
  EXPECT_EQ(run(config), 0);
  EXPECT_EQ(state_of(checkpoint_of(config, 12)).branch.value().read.size(), 1u) << "b's alone";

  changed.sources = {lines_source(dir_, "renamed", 200, 3.0)};
  changed.output = dir_ / "renamed";
  prepare_data(changed, byte_encoder());
  config = branch("refused2", 12);
  config.data.directory = changed.output;
  EXPECT_THAT(refusal(config), HasSubstr("source 'renamed' is the text that was read as 'a'"));
  config.data.sources = {{"renamed", "", 1.0, true}};
  EXPECT_EQ(run(config), 0);
}

TEST_F(Continued, ACheckpointThatIsNoWholeRunIsRefused) {
  const std::string checkpoint = checkpoint_of(whole_, 8);
  const TrainingState state = state_of(checkpoint);
  const auto with = [&](auto change) {
    TrainingState changed = state;
    change(changed);
    replace_state(checkpoint, state_text(changed));
    return refusal(branch("refused", 12));
  };
  const std::string init = "--set init_from=" + checkpoint;
  EXPECT_THAT(with([](auto& s) { s.guard.reset(); }),
              AllOf(HasSubstr("no state of a run to continue"), HasSubstr(init)));
  EXPECT_THAT(with([](auto& s) { s.objective = "sft"; }),
              AllOf(HasSubstr("had the objective 'sft'"), HasSubstr(init)));
  EXPECT_THAT(with([](auto& s) { s.data->sources.clear(); }),
              AllOf(HasSubstr("does not say what its run has read"), HasSubstr(init)));
  replace_state(checkpoint, state_text(state));
  const std::string path = checkpoint + "/" + CheckpointManifest::file_name;
  CheckpointManifest manifest = parse_checkpoint_manifest(read_file(path), path);
  std::erase_if(manifest.tensors,
                [](const ManifestTensor& t) { return t.kind == StateKind::second_moment; });
  write_file(path, checkpoint_manifest_text(manifest));
  EXPECT_THAT(refusal(branch("refused", 12)),
              AllOf(HasSubstr("it lacks moments of the optimizer"), HasSubstr(init)));
  write_file(path, "damaged");
  EXPECT_THAT(refusal(branch("refused", 12)), HasSubstr(path));
}

TEST_F(Continued, TheDirectoryOfAnotherRunIsNotContinuedInto) {
  TrainConfig config = branch("whole", 24);
  EXPECT_THAT(input_error_of([&] { run(config); }),
              AllOf(HasSubstr(checkpoint_of(whole_, 12) + " is of a run that continues no other"),
                    HasSubstr("choose another output")));
  EXPECT_THAT(checkpoint_steps(whole_.output + "/checkpoints"), ElementsAre(8, 10, 12));
}

TEST_F(Continued, TheModelIsTheFirstRunsUnlessTheConfigSaysOtherwise) {
  const std::string path = dir_ / "next.toml";
  TrainConfig next = branch("next", 12);
  std::string toml = config_to_toml(next);
  const std::size_t model = toml.find("\n[model]\n");
  toml.erase(model, toml.find("\n[", model + 1) - model);
  write_file(path, toml);
  const TrainConfig loaded = load_train_config(path);
  EXPECT_EQ(loaded.model.hidden_size, 32);
  ASSERT_EQ(run(loaded), 0);
  fs::remove_all(whole_.output);
  EXPECT_EQ(load_train_config(path, {}, "auto").model.hidden_size, 32) << "its own by now";
  EXPECT_THAT(input_error_of([&] { load_train_config(path, {}, "none"); }), HasSubstr("whole"));
}

}  // namespace
}  // namespace fathom

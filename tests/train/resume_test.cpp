// What a resumed run keeps: its directory when it is refused, its position in tokens and time,
// its saves, and its independence from the checkpoint that it began with.
#include <gmock/gmock.h>

#include "train/small_run.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using namespace test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// Every file of a directory but the lock, by path.
std::map<std::string, std::string> content_of(const std::string& directory) {
  std::map<std::string, std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    const bool lock = entry.path().filename() == ".lock";
    all[entry.path()] = entry.is_regular_file() && !lock ? read_file(entry.path()) : "";
  }
  return all;
}

// A run whose only checkpoint is that of step `save_every` of `from`.
TrainConfig cut_run(const TempDir& dir, const TrainConfig& from, const std::string& name) {
  TrainConfig cut = from;
  cut.output = dir / name;
  fs::create_directories(cut.output + "/checkpoints");
  fs::copy(checkpoint_of(from, save_every), checkpoint_of(cut, save_every),
           fs::copy_options::recursive);
  return cut;
}

void remove_moments(const std::string& checkpoint) {
  const std::string path = checkpoint + "/" + CheckpointManifest::file_name;
  CheckpointManifest manifest = parse_checkpoint_manifest(read_file(path), path);
  std::erase_if(manifest.tensors,
                [](const ManifestTensor& t) { return t.kind == StateKind::first_moment; });
  std::erase_if(manifest.files, [](const ManifestFile& f) {
    return f.name.starts_with(name_of(StateKind::first_moment));
  });
  write_file(path, checkpoint_manifest_text(manifest));
}

constexpr const char* first_tokenizer = R"({"model": {"vocab": {"a": 0}}, "added_tokens": []})";

class Refused : public testing::TestWithParam<int> {};

// Whatever refuses a resume, also as late as a tensor that a checkpoint lacks: config.toml and
// tokenizer.json say how to read the checkpoints, so they must stay those of the checkpoints.
TEST_P(Refused, ResumeLeavesTheRunUntouched) {
  const TempDir dir;
  prepare(dir);
  write_file(dir / "out/tokenizer.json", first_tokenizer);
  TrainConfig config = tiny(dir, "run");
  config.train.micro_batch = 2;
  config.validation.sample_tokens = 0;  // the tokenizer is none that could read a prompt
  ASSERT_EQ(run(config, "auto", GetParam()), 0);
  ASSERT_EQ(read_file(config.output + "/tokenizer.json"), first_tokenizer);
  remove_moments(checkpoint_of(config, total_steps));
  const auto before = content_of(config.output);
  const auto refused = [&](const TrainConfig& changed, const std::string& resume) {
    const std::string message = input_error_of([&] { run(changed, resume, GetParam()); });
    EXPECT_EQ(content_of(config.output), before) << message;
    return message;
  };
  const std::string middle = checkpoint_of(config, save_every);
  TrainConfig changed = config;
  changed.train.steps = 20;
  EXPECT_THAT(refused(changed, "auto"), HasSubstr("holds no first_moment"));
  changed.seed = 2;
  EXPECT_THAT(refused(changed, middle), HasSubstr("the seed"));
  changed = config;
  changed.model.hidden_size = 64;
  EXPECT_THAT(refused(changed, middle), HasSubstr("model.hidden_size"));
  EXPECT_THAT(refused(config, dir / "nowhere"), HasSubstr("nowhere"));
  auto encoder = byte_encoder();
  encoder.hash = 0x77;
  prepare_data(sample_config(dir), encoder, Overwrite::yes);
  write_file(dir / "out/tokenizer.json", "{\"another\": 1}");
  EXPECT_THAT(refused(config, middle), HasSubstr("made with tokenizer"));
  changed = config;
  changed.output = dir / "other";
  changed.init_from = dir / "nothing";
  EXPECT_THAT(refused(changed, "none"), HasSubstr("nothing"));
  EXPECT_FALSE(fs::exists(changed.output + "/config.toml"));
}

INSTANTIATE_TEST_SUITE_P(Ranks, Refused, testing::Values(1, 2),
                         [](const auto& of) { return fmt::format("{}", of.param); });

class OtherBatch : public testing::Test {
 protected:
  void SetUp() override {
    prepare(dir_);
    whole_ = tiny(dir_, "whole");
    whole_.train.steps.reset();
    whole_.train.tokens = total_steps * 4 * 24;
    ASSERT_EQ(run(whole_), 0);
  }
  TempDir dir_;
  TrainConfig whole_;
};

// After 5 steps of 96 tokens, of 1152, the run goes on with steps of 192. The rate falls once
// 922 and 1037 tokens are seen.
TEST_F(OtherBatch, ALargerOneEndsAfterTheSameTokens) {
  EXPECT_THAT(metric_of(whole_, metric::tokens).back(), Pair(12, 1152));
  TrainConfig cut = cut_run(dir_, whole_, "larger");
  cut.train.global_batch = 8;
  ASSERT_EQ(run(cut), 0);
  EXPECT_THAT(metric_of(cut, metric::tokens),
              ElementsAre(Pair(6, 672), Pair(7, 864), Pair(8, 1056), Pair(9, 1248)));
  EXPECT_THAT(metric_of(cut, metric::learning_rate),
              ElementsAre(Pair(6, 1e-2), Pair(7, 1e-2), Pair(8, 1e-2), Pair(9, 1e-3)));
  const TrainingState end = Checkpoint(checkpoint_of(cut, 9)).state();
  EXPECT_EQ(end.tokens, 1248);
  EXPECT_EQ(end.data.value().next_sample, 5 * 4 + 4 * 8);
}

TEST_F(OtherBatch, ASmallerOneEndsAfterTheSameTokens) {
  TrainConfig cut = cut_run(dir_, whole_, "smaller");
  cut.train.global_batch = cut.train.micro_batch = 2;
  testing::internal::CaptureStderr();
  ASSERT_EQ(run(cut), 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("step 19/19"));
  const auto tokens = metric_of(cut, metric::tokens);
  EXPECT_THAT(tokens.front(), Pair(6, 528));
  EXPECT_THAT(tokens.back(), Pair(19, 1152));
  const double drop = 0.31622776601683794;
  for (const auto& [step, rate] : metric_of(cut, metric::learning_rate)) {
    const double seen = double(480 + 48 * (step - 6)) / 1152;  // before the step
    EXPECT_DOUBLE_EQ(rate, 1e-2 * (seen < 0.8 ? 1 : seen < 0.9 ? drop : 0.1)) << step;
  }
}

TEST_F(OtherBatch, StepsStaySteps) {
  TrainConfig cut = cut_run(dir_, whole_, "steps");
  cut.train.tokens.reset();
  cut.train.steps = 10;
  cut.train.global_batch = 8;
  ASSERT_EQ(run(cut), 0);
  const auto rates = metric_of(cut, metric::learning_rate);
  EXPECT_EQ(rates.size(), 5u);
  EXPECT_THAT(rates.back(), Pair(10, 1e-3));
  EXPECT_THAT(rates[2], Pair(8, 1e-2)) << "7 of 10 done";
}

// The state of step 5 says that an hour was trained.
TEST(ResumedRun, GoesOnFromItsSeconds) {
  const TempDir dir;
  prepare(dir);
  const TrainConfig whole = tiny(dir, "whole");
  ASSERT_EQ(run(whole), 0);
  TrainConfig cut = cut_run(dir, whole, "cut");
  TrainingState state = Checkpoint(checkpoint_of(cut, save_every)).state();
  EXPECT_GT(state.elapsed_seconds, 0);
  EXPECT_LT(state.elapsed_seconds, 300);
  state.elapsed_seconds = 3600;
  replace_state(checkpoint_of(cut, save_every), state_text(state));
  TrainConfig timed = cut;
  timed.train.max_minutes = 60;
  testing::internal::CaptureStderr();
  ASSERT_EQ(run(timed), 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("was at its end already"));
  EXPECT_THAT(checkpoint_steps(cut.output + "/checkpoints"), ElementsAre(save_every));
  timed.train.max_minutes = 120;
  timed.schedule.milestones = {0.5, 0.9};  // of the time, which is further than the steps
  ASSERT_EQ(run(timed), 0);
  for (const auto& [step, seconds] : metric_of(timed, metric::seconds)) {
    EXPECT_GT(seconds, 3600) << step;
    EXPECT_LT(seconds, 3900) << step;
  }
  EXPECT_LT(metric_of(timed, metric::learning_rate).front().second, 0.32e-2);
  EXPECT_THAT(metric_of(timed, metric::tokens).front(), Pair(6, 6 * 96));
}

TEST(ResumedRun, SavesNothingBeforeItsFirstStep) {
  const TempDir dir;
  prepare(dir);
  TrainConfig config = tiny(dir, "run");
  config.checkpoint.keep_last = 10;
  config.train.steps = 10;
  ASSERT_EQ(run(config), 0);
  config.train.steps = 13;
  ASSERT_EQ(run(config), 0);
  EXPECT_THAT(checkpoint_steps(config.output + "/checkpoints"), ElementsAre(5, 10, 13));
}

TEST(ResumedRun, NeedsNoInitialCheckpoint) {
  const TempDir dir;
  prepare(dir);
  TrainConfig first = tiny(dir, "first");
  first.train.steps = 1;
  ASSERT_EQ(run(first), 0);
  const std::string path = dir / "second.toml", from = checkpoint_of(first, 1);
  TrainConfig second = tiny(dir, "second");
  second.init_from = from;
  std::string toml = config_to_toml(second);
  const std::size_t model = toml.find("\n[model]\n");
  toml.erase(model, toml.find("\n[", model + 1) - model);
  write_file(path, toml);
  const TrainConfig begun = load_train_config(path, std::vector<std::string>{"train.steps=6"});
  EXPECT_EQ(begun.model.hidden_size, 32);
  ASSERT_EQ(run(begun), 0);
  fs::remove_all(first.output);
  const auto error = [&](const std::string& resume) {
    return input_error_of([&] { load_train_config(path, {}, resume); });
  };
  EXPECT_THAT(error("none"), HasSubstr(from));
  const TrainConfig resumed = load_train_config(path, {}, "auto");
  EXPECT_EQ(resumed.model.hidden_size, 32);
  EXPECT_EQ(run(resumed), 0);
  EXPECT_TRUE(fs::exists(checkpoint_of(second, total_steps)));
  const std::string named = checkpoint_of(second, save_every);
  EXPECT_EQ(load_train_config(path, std::vector<std::string>{"output=elsewhere"}, named)
                .model.hidden_size,
            32);
  EXPECT_THAT(input_error_of([&] {
                load_train_config(path, std::vector<std::string>{"output=elsewhere"}, "auto");
              }),
              HasSubstr(from));
}

}  // namespace
}  // namespace fathom

// Whole runs of `fathom train` inside this process: a resumed one ends with the very
// bits of the uninterrupted one, and what cannot be resumed is refused.
#include "train/trainer.h"

#include <gmock/gmock.h>

#include <fstream>

#include "io/atomic_file.h"
#include "io/file_lock.h"
#include "train/small_run.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using namespace test;
using testing::HasSubstr;

void expect_same_end(const TrainConfig& a, const TrainConfig& b) {
  const auto one = tensors_of(checkpoint_of(a, total_steps));
  const auto two = tensors_of(checkpoint_of(b, total_steps));
  ASSERT_GT(one.size(), 30u);
  ASSERT_EQ(one.size(), two.size());
  for (const auto& [name, bytes] : one) EXPECT_TRUE(bytes == two.at(name)) << name;
  const TrainingState s = Checkpoint(checkpoint_of(a, total_steps)).state();
  const TrainingState t = Checkpoint(checkpoint_of(b, total_steps)).state();
  EXPECT_EQ(s.data, t.data);
  EXPECT_EQ(s.guard, t.guard);
}

struct Case {
  const char* name;
  std::function<void(TrainConfig&)> change;
};

class Resume : public testing::TestWithParam<Case> {};

// The whole run; one that lost everything after step 5 and goes on by itself; and one
// that begins elsewhere with that step's checkpoint.
TEST_P(Resume, EndsWithTheSameBits) {
  const TempDir dir;
  prepare(dir);
  TrainConfig whole = tiny(dir, "whole"), cut = tiny(dir, "cut"), named = tiny(dir, "named");
  for (TrainConfig* config : {&whole, &cut, &named}) {
    config->threads = 2;
    GetParam().change(*config);
  }
  ASSERT_EQ(run(whole), 0);
  const TrainingState middle = Checkpoint(checkpoint_of(whole, save_every)).state();
  if (whole.guard.on_spike == GuardAction::skip) {
    const std::int64_t skipped = middle.guard.value().skipped;
    ASSERT_GT(skipped, 0) << "the guard should have skipped a step before it";
    ASSERT_LT(skipped, middle.step);
  }
  fs::create_directories(cut.output + "/checkpoints");
  fs::copy(checkpoint_of(whole, save_every), checkpoint_of(cut, save_every),
           fs::copy_options::recursive);
  ASSERT_EQ(run(cut), 0);
  expect_same_end(whole, cut);
  ASSERT_EQ(run(named, checkpoint_of(whole, save_every)), 0);
  expect_same_end(whole, named);
}

INSTANTIATE_TEST_SUITE_P(
    All, Resume,
    testing::Values(Case{"f32", [](TrainConfig&) {}},
                    Case{"bf16", [](TrainConfig& c) { c.dtype = DTypeChoice::bf16; }},
                    Case{"accumulated", [](TrainConfig& c) { c.train.micro_batch = 1; }},
                    Case{"bf16_accumulated_in_documents",
                         [](TrainConfig& c) {
                           c.dtype = DTypeChoice::bf16;
                           c.train.micro_batch = 2;
                           c.data.attention_within_documents = true;
                         }},
                    Case{"fp8", [](TrainConfig& c) { c.precision = Products::fp8; }},
                    Case{"after_a_skipped_step",
                         [](TrainConfig& c) {
                           // So touchy that some step of the first five is taken for a spike.
                           c.guard = {GuardAction::skip, GuardAction::skip, 0.01, 2, 1, 1000};
                         }}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

TEST(Trainer, WritesWhatARunIsMadeOf) {
  const TempDir dir;
  prepare(dir);
  const TrainConfig config = tiny(dir, "run");
  ASSERT_EQ(run(config), 0);
  for (const char* name : {"config.toml", "metrics.jsonl", "report.html", "tensorboard",
                           "model/config.json", "model/model.safetensors"}) {
    EXPECT_TRUE(fs::exists(config.output + "/" + name)) << name;
  }
  // The resolved config can be trained from again, and a finished run is finished.
  const auto before = tensors_of(checkpoint_of(config, total_steps));
  ASSERT_EQ(run(load_train_config(config.output + "/config.toml")), 0);
  EXPECT_EQ(tensors_of(checkpoint_of(config, total_steps)), before);
}

TEST(Trainer, SavesNothingWhereNothingIsToBeSaved) {
  const TempDir dir;
  prepare(dir);
  TrainConfig config = tiny(dir, "run");
  config.checkpoint.enabled = false;
  ASSERT_EQ(run(config), 0);
  EXPECT_TRUE(fs::exists(config.output + "/report.html"));
  EXPECT_FALSE(fs::exists(config.output + "/model"));
  EXPECT_TRUE(fs::is_empty(config.output + "/checkpoints"));
}

TEST(Trainer, ResumeNoneBeginsAgain) {
  const TempDir dir;
  prepare(dir);
  TrainConfig config = tiny(dir, "run");
  ASSERT_EQ(run(config), 0);
  const auto before = tensors_of(checkpoint_of(config, total_steps));
  config.seed = 2;
  EXPECT_THAT(input_error_of([&] { run(config); }), HasSubstr("the seed"));
  ASSERT_EQ(run(config, "none"), 0);
  EXPECT_NE(tensors_of(checkpoint_of(config, total_steps)), before);
}

TEST(Trainer, RefusesASecondRunOnItsOutput) {
  const TempDir dir;
  prepare(dir);
  const TrainConfig config = tiny(dir, "run");
  const DirectoryLock lock(config.output);
  EXPECT_THAT(input_error_of([&] { run(config); }), HasSubstr("is in use by process"));
}

// At its start, not when the model is to be written.
TEST(Trainer, RefusesAnOutputWhoseModelHoldsOtherFiles) {
  const TempDir dir;
  prepare(dir);
  TrainConfig config = tiny(dir, "run");
  config.train.micro_batch = 2;
  write_file(config.output + "/model/notes.txt", "mine");
  for (const int ranks : {1, 2}) {
    EXPECT_THAT(input_error_of([&] { run(config, "auto", ranks); }),
                HasSubstr(config.output + "/model: holds notes.txt, which Fathom did not make"));
    EXPECT_FALSE(fs::exists(config.output + "/metrics.jsonl"));
    EXPECT_EQ(read_file(config.output + "/model/notes.txt"), "mine");
  }
  config.checkpoint.enabled = false;  // then no model is written
  EXPECT_EQ(run(config), 0);
}

TEST(Trainer, RefusesAnOutputWithFilesThatItWouldReplace) {
  const TempDir dir;
  prepare(dir);
  const TrainConfig config = tiny(dir, "run");
  for (const std::string name : {"config.toml", "tokenizer.json", "metrics.jsonl", "samples.jsonl",
                                 "answers.jsonl", "report.html"}) {
    write_file(config.output + "/" + name, "mine");
    EXPECT_THAT(input_error_of([&] { run(config); }),
                HasSubstr("output: " + config.output + " holds " + name));
    EXPECT_EQ(read_file(config.output + "/" + name), "mine");
    fs::remove(config.output + "/" + name);
  }
  write_file(config.output + "/notes.txt", "mine");
  EXPECT_EQ(run(config), 0) << "nothing of those names";
  fs::remove(config.output + "/.lock");
  EXPECT_EQ(run(config), 0) << "a copy of a run without its lock";
  EXPECT_EQ(read_file(config.output + "/notes.txt"), "mine");
}

TEST(Trainer, RefusesOtherDataAndTokenizersOnResume) {
  const TempDir dir;
  prepare(dir);
  TrainConfig config = tiny(dir, "run");
  ASSERT_EQ(run(config), 0);
  TrainConfig longer = config;
  longer.train.sequence_length = 25;
  EXPECT_THAT(input_error_of([&] { run(longer); }), HasSubstr("train.sequence_length"));

  auto encoder = test::byte_encoder();
  encoder.hash = 0x77;
  prepare_data(test::sample_config(dir), encoder, Overwrite::yes);
  const std::string message = input_error_of([&] { run(config); });
  EXPECT_THAT(message, HasSubstr("made with tokenizer 0000000000001234, but the data with "
                                 "0000000000000077"));
  EXPECT_THAT(input_error_of([&] { run(config, dir / "nowhere"); }), HasSubstr("nowhere"));
}

TEST(Trainer, RefusesAnotherModelsCheckpoint) {
  const TempDir dir;
  prepare(dir);
  TrainConfig config = tiny(dir, "run");
  ASSERT_EQ(run(config), 0);
  config.model.hidden_size = 64;
  EXPECT_THAT(input_error_of([&] { run(config); }),
              HasSubstr("its model.hidden_size is 32, the config's 64"));
  config.model.hidden_size = 32;
  config.model.num_layers = 1;
  EXPECT_THAT(input_error_of([&] { run(config); }),
              HasSubstr("its model.num_layers is 2, the config's 1"));
}

// A state damaged on the disk: the one before it is taken, and the end is the same.
TEST(Trainer, StepsBackOverADamagedCheckpoint) {
  const TempDir dir;
  prepare(dir);
  const TrainConfig whole = tiny(dir, "whole");
  ASSERT_EQ(run(whole), 0);
  TrainConfig cut = tiny(dir, "cut");
  fs::create_directories(cut.output);
  fs::copy(whole.output + "/checkpoints", cut.output + "/checkpoints", fs::copy_options::recursive);
  for (const auto& file : fs::directory_iterator(checkpoint_of(cut, total_steps))) {
    if (file.path().extension() == ".safetensors") fs::resize_file(file.path(), 999);
  }
  testing::internal::CaptureStderr();
  ASSERT_EQ(run(cut), 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("damaged"));
  expect_same_end(whole, cut);
}

}  // namespace
}  // namespace fathom

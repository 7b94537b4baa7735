// The writer of checkpoints: what it saves beside training, what it keeps, and what a full
// disk or a kill leaves behind.
#include "checkpoint/writer.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <set>
#include <thread>

#include "checkpoint/checkpoint_state.h"
#include "checkpoint/retention.h"
#include "comm/thread_ranks.h"

extern char** environ;

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(CheckpointWriter, SavesWhatStoodThereAndRemovesOldOnes) {
  const std::string directory = fresh_directory("writer");
  State state;
  fs::create_directories(directory + "/step-00000009.tmp-1-2");  // a dead save's
  CheckpointWriter writer(directory, by_steps(), state.tensors, 0, world_of_one());
  EXPECT_FALSE(fs::exists(directory + "/step-00000009.tmp-1-2"));
  for (std::int64_t step = 1; step <= 4; ++step) {
    EXPECT_TRUE(writer.due(step));
    state.fill(step);
    writer.save(state.context, state.training(step));
    state.fill(99);  // training goes on
    const auto result = writer.finish();
    ASSERT_TRUE(result && result->committed()) << result->error;
    EXPECT_EQ(result->step, step);
    EXPECT_GT(result->bytes, 500u);
  }
  EXPECT_THAT(checkpoint_steps(directory), ElementsAre(3, 4));
  EXPECT_EQ(newest_step(directory, state), 4);
  EXPECT_EQ(writer.save_and_wait(state.context, state.training(4)).bytes, 0u);  // is there
}

TEST(CheckpointWriter, SavesForGoodWhatItIsToldTo) {
  const std::string directory = fresh_directory("for_good");
  State state;
  CheckpointWriter writer(directory, by_steps(1), state.tensors, 0, world_of_one());
  writer.save(state.context, state.training(1), Keep::for_good);
  ASSERT_TRUE(writer.finish()->committed());
  ASSERT_TRUE(writer.save_and_wait(state.context, state.training(2), Keep::for_good).committed());
  for (const std::int64_t step : {3, 4}) {
    ASSERT_TRUE(writer.save_and_wait(state.context, state.training(step)).committed());
  }
  EXPECT_THAT(checkpoint_steps(directory), ElementsAre(1, 2, 4));
  EXPECT_FALSE(fs::exists(directory + "/step-00000004/keep"));
}

TEST(CheckpointWriter, PostponesAndNeverSavesTwiceAtOnce) {
  const std::string directory = fresh_directory("postpone");
  State state(1000, 5);  // 80 KB at 0.4 MB/s: 0.2 s
  CheckpointConfig config = by_steps();
  config.max_write_megabytes = 0.4;
  config.every_steps = 2;
  CheckpointWriter writer(directory, config, state.tensors, 0, world_of_one());
  EXPECT_FALSE(writer.due(1));
  EXPECT_TRUE(writer.due(2));
  writer.save(state.context, state.training(2));
  EXPECT_TRUE(writer.busy());
  EXPECT_FALSE(writer.poll());
  EXPECT_FALSE(writer.due(4));
  EXPECT_THAT(message_of([&] { writer.save(state.context, state.training(4)); }),
              HasSubstr("while another one runs"));
  ASSERT_TRUE(writer.finish()->committed());
  EXPECT_TRUE(writer.due(5));  // that of step 4
  writer.save(state.context, state.training(5));
  ASSERT_TRUE(writer.finish()->committed());
  EXPECT_FALSE(writer.due(5)) << "once";
  EXPECT_FALSE(writer.due(7));
  EXPECT_TRUE(writer.due(8));
}

TEST(CheckpointWriter, HandsOutEachResultOnce) {
  const std::string directory = fresh_directory("results");
  State state;
  CheckpointWriter writer(directory, by_steps(), state.tensors, 0, world_of_one());
  EXPECT_FALSE(writer.poll());
  EXPECT_FALSE(writer.finish());
  testing::internal::CaptureStderr();
  writer.save(state.context, state.training(1));
  const auto first = writer.finish();
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::MatchesRegex("saved the checkpoint of step 1: [0-9.]+ kB in [0-9.]+ s "
                                    "\\([0-9.]+ .?B/s\\)\n"));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->step, 1);
  EXPECT_GT(first->write_seconds, 0);
  EXPECT_FALSE(writer.finish());
  EXPECT_FALSE(writer.poll());
  // One that nobody has asked for when the next is saved.
  writer.save(state.context, state.training(2));
  while (writer.busy()) std::this_thread::yield();
  writer.save(state.context, state.training(3));
  EXPECT_EQ(writer.poll().value().step, 2);
  EXPECT_EQ(writer.finish().value().step, 3);
  EXPECT_FALSE(writer.poll());
}

// Each tensor begins at a multiple of 256 bytes.
TEST(CheckpointWriter, TakesTheMemoryOfItsCopies) {
  float values[65] = {};
  const auto tensor = [&](std::int64_t count) {
    return CheckpointTensor::whole(StateKind::weight, "m", Tensor(values, DType::f32, {count}));
  };
  EXPECT_EQ(CheckpointWriter::host_bytes({}), 0u);
  EXPECT_EQ(CheckpointWriter::host_bytes({tensor(1)}), 256u);
  EXPECT_EQ(CheckpointWriter::host_bytes({tensor(64)}), 256u);
  EXPECT_EQ(CheckpointWriter::host_bytes({tensor(65), tensor(3)}), 512u + 256);
}

TEST(CheckpointWriter, AnOutputThatCannotBeHadIsNamed) {
  const std::string directory = fresh_directory("blocked");
  write_file(directory + "/file", "");
  State state;
  EXPECT_THAT(message_of([&] {
                CheckpointWriter(directory + "/file/x", by_steps(), state.tensors, 0,
                                 world_of_one());
              }),
              testing::StartsWith(directory + "/file/x: cannot create this directory: "));
  const std::string path = directory + "/" + checkpoint_name(1);
  const Tensor columns = state.tensors[0].values.columns(1, 2);
  EXPECT_EQ(message_of([&] {
              write_checkpoint(path, {CheckpointTensor::whole(StateKind::weight, "m", columns)},
                               state.training(1));
            }),
            "'m' is not contiguous on the CPU");
  EXPECT_FALSE(fs::exists(path));
  saved(directory, state, 1);
  EXPECT_THAT(message_of([&] { saved(directory, state, 1); }), HasSubstr("exists already"));
}

// By steps, by time, and never before the first step after those that the run resumes.
TEST(CheckpointWriter, IsDueByStepsOrByTime) {
  const std::string directory = fresh_directory("due");
  State state;
  const auto due = [&](std::int64_t every_steps, double interval_seconds, std::int64_t resumed,
                       std::int64_t step, bool enabled = true) {
    CheckpointConfig config;
    config.enabled = enabled;
    config.every_steps = every_steps;
    config.interval_seconds = interval_seconds;
    return CheckpointWriter(directory, config, state.tensors, resumed, world_of_one()).due(step);
  };
  EXPECT_TRUE(due(3, 0, 0, 6));
  EXPECT_FALSE(due(3, 0, 0, 7));
  EXPECT_FALSE(due(0, 0, 0, 6)) << "neither by steps nor by time";
  EXPECT_TRUE(due(0, 1e-9, 0, 1));
  EXPECT_FALSE(due(0, 3600, 0, 1));
  EXPECT_FALSE(due(3, 1e-9, 6, 6)) << "nothing has been done since";
  EXPECT_TRUE(due(0, 1e-9, 6, 7));
  EXPECT_FALSE(due(3, 1e-9, 0, 6, false));
}

// Each rank writes its part, the first commits, and all hear how much it was.
TEST(CheckpointWriter, RanksSaveTogetherAndAllKnowTheBytes) {
  const std::string directory = fresh_directory("together");
  std::uint64_t bytes[3] = {};
  run_thread_ranks(3, {}, [&](Communicator& world) {
    float row[2] = {float(world.rank()), 1};
    State state;
    const CheckpointTensor part{
        StateKind::weight, "m", {3, 2}, {world.rank(), 0}, Tensor(row, DType::f32, {1, 2})};
    CheckpointWriter writer(directory, by_steps(), {part}, 0, world.split(0, "checkpoint"));
    const SaveResult result = writer.save_and_wait(state.context, state.training(1));
    EXPECT_EQ(result.error, "");
    bytes[world.rank()] = result.bytes;
  });
  std::uint64_t on_disk = 0;
  for (const auto& file : fs::directory_iterator(directory + "/step-00000001")) {
    on_disk += file.file_size();
  }
  EXPECT_THAT(bytes, ElementsAre(on_disk, on_disk, on_disk));
  State state;
  std::vector<float> whole(6);
  Checkpoint(directory + "/step-00000001")
      .load(state.context, StateKind::weight, "m", Tensor(whole.data(), DType::f32, {3, 2}));
  EXPECT_THAT(whole, ElementsAre(0, 1, 1, 1, 2, 1));
}

TEST(CheckpointWriter, SetsLaterOnesAside) {
  const std::string directory = fresh_directory("aside");
  State state;
  saved(directory, state, 1);
  saved(directory, state, 2);
  CheckpointWriter writer(directory, by_steps(), state.tensors, 1, world_of_one());
  EXPECT_THAT(checkpoint_steps(directory), ElementsAre(1));
  EXPECT_TRUE(fs::exists(directory + "/step-00000002.abandoned"));
}

// A full disk, played by the limit on a file's size.
TEST(CheckpointWriter, FullDiskIsAWarningAndLeavesNoDebris) {
  const std::string directory = fresh_directory("full");
  State state(4000, 5);
  saved(directory, state, 1);
  CheckpointWriter writer(directory, by_steps(1), state.tensors, 1, world_of_one());
  const auto old_action = signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  getrlimit(RLIMIT_FSIZE, &old_limit);
  const rlimit small{20'000, old_limit.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  writer.save(state.context, state.training(2));
  const auto result = writer.finish();
  setrlimit(RLIMIT_FSIZE, &old_limit);
  signal(SIGXFSZ, old_action);
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->committed());
  EXPECT_THAT(result->error, HasSubstr("File too large"));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory), {}), 1);  // step 1 alone
  EXPECT_EQ(newest_step(directory, state), 1);
  state.fill(2);
  EXPECT_TRUE(writer.save_and_wait(state.context, state.training(2)).committed());
  EXPECT_EQ(newest_step(directory, state), 2);
}

TEST(CheckpointWriter, SavesNothingWhereNothingIsToBeSaved) {
  const std::string directory = fresh_directory("disabled");
  State state(4000, 5);
  saved(directory, state, 3);  // of a run that is begun again, to try something
  CheckpointConfig config = by_steps(1);
  config.enabled = false;
  CheckpointWriter writer(directory, config, state.tensors, 0, world_of_one());
  EXPECT_FALSE(writer.due(1));
  writer.before_change(state.context);
  EXPECT_EQ(writer.save_and_wait(state.context, state.training(1)).error,
            "checkpoint.enabled is false");
  EXPECT_EQ(newest_step(directory, state), 3) << "it was set aside";
  EXPECT_EQ(std::distance(fs::directory_iterator(directory), {}), 1);
}

TEST(CheckpointWriter, ConfigErrorsNameTheKey) {
  const auto error = [](auto change) {
    CheckpointConfig config;
    change(config);
    return message_of([&] { check(config); });
  };
  EXPECT_EQ(error([](auto& c) {
              c.interval_seconds = 0, c.every_steps = 0, c.keep_last = 1, c.keep_every = 0;
              c.max_write_megabytes = 0;
            }),
            "");
  EXPECT_EQ(error([](auto& c) { c.keep_last = 0; }),
            "checkpoint.keep_last is 0: at least 1 must be kept");
  EXPECT_EQ(error([](auto& c) { c.every_steps = -1; }),
            "checkpoint.every_steps is -1: use 0 or more");
  EXPECT_EQ(error([](auto& c) { c.keep_every = -1; }),
            "checkpoint.keep_every is -1: use 0 or more");
  EXPECT_EQ(error([](auto& c) {
              c.keep_tokens = {1, 0};
            }),
            "checkpoint.keep_tokens holds 0: use 1 or more");
  EXPECT_EQ(error([](auto& c) { c.interval_seconds = std::nan(""); }),
            "checkpoint.interval_seconds is nan: use 0 or more");
  EXPECT_EQ(error([](auto& c) { c.max_write_megabytes = -0.5; }),
            "checkpoint.max_write_megabytes is -0.5: use 0 or more");
}

TEST(CheckpointWriter, SavesEveryFiveMinutesAndKeepsTwoUnlessToldOtherwise) {
  const CheckpointConfig config;
  EXPECT_TRUE(config.enabled);
  EXPECT_EQ(config.interval_seconds, 300);
  EXPECT_EQ(config.every_steps, 0);
  EXPECT_EQ(config.keep_last, 2);
  EXPECT_EQ(config.keep_every, 0);
  EXPECT_FALSE(config.keep_phase_ends);
  EXPECT_THAT(config.keep_tokens, IsEmpty());
  EXPECT_EQ(config.max_write_megabytes, 0);
}

// Run in a child process, which is killed: saves for ever.
TEST(CheckpointChild, DISABLED_SavesForEver) {
  const std::string directory = getenv("FATHOM_TEST_DIRECTORY");
  State state(4000, 5);
  std::int64_t step = newest_step(directory, state).value_or(0);
  if (HasFailure()) _exit(3);
  CheckpointWriter writer(directory, by_steps(), state.tensors, step, world_of_one());
  while (true) {
    state.fill(++step);
    if (!writer.save_and_wait(state.context, state.training(step)).committed()) _exit(4);
  }
}

std::set<std::string> names_in(const std::string& directory) {
  std::set<std::string> names;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(directory, missing)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

TEST(CheckpointWriter, SurvivesKillsAtRandomMoments) {
  const std::string directory = fresh_directory("kill");
  setenv("FATHOM_TEST_DIRECTORY", directory.c_str(), 1);
  const char* arguments[] = {"train_test", "--gtest_filter=CheckpointChild.*",
                             "--gtest_also_run_disabled_tests", "--gtest_brief=1", nullptr};
  std::mt19937 random(11);
  State state(4000, 5);
  for (int kill_number = 0; kill_number < 12; ++kill_number) {
    const std::set<std::string> before = names_in(directory);
    pid_t child = 0;
    ASSERT_EQ(posix_spawn(&child, "/proc/self/exe", nullptr, nullptr,
                          const_cast<char* const*>(arguments), environ),
              0);
    // However slowly it starts, it has begun a save of its own when it is killed.
    for (int i = 0; i < 3000 && names_in(directory) == before; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 150));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit code " << WEXITSTATUS(status);
    for (const std::int64_t step : checkpoint_steps(directory)) {
      state.fill(step);
      state.expect_loads(Checkpoint(directory + "/" + checkpoint_name(step)));
    }
  }
  EXPECT_GE(checkpoint_steps(directory).size(), 1u);
}

}  // namespace
}  // namespace fathom::test

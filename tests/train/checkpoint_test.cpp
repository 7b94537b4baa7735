// Checkpoints: what is saved comes back exactly, in any slices, and every kind of
// damage is one clear line and a step back to the checkpoint before.
#include "train/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <set>
#include <thread>

#include "core/error.h"
#include "train/checkpoint_manifest.h"
#include "train/checkpoint_writer.h"
#include "train/retention.h"

extern char** environ;

namespace fathom {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string fresh_directory(const std::string& name) {
  const std::string path = testing::TempDir() + "checkpoint_test_" + name;
  fs::remove_all(path);
  fs::create_directories(path);
  return path;
}

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// A tiny model's state: a matrix and a vector of each kind.
struct State {
  std::vector<float> matrix, vector;
  std::vector<CheckpointTensor> tensors;
  Context context{cpu_device, 1 << 16};

  explicit State(std::int64_t rows = 7, std::int64_t columns = 5)
      : matrix(static_cast<std::size_t>(4 * rows * columns)), vector(4 * 3) {
    for (int kind = 0; kind < num_state_kinds; ++kind) {
      const auto k = static_cast<StateKind>(kind);
      tensors.push_back(CheckpointTensor::whole(
          k, "matrix", Tensor(matrix.data() + kind * rows * columns, DType::f32, {rows, columns})));
      tensors.push_back(
          CheckpointTensor::whole(k, "vector", Tensor(vector.data() + kind * 3, DType::f32, {3})));
    }
    fill(1);
  }

  // Values that belong to a step.
  void fill(std::int64_t step) {
    for (std::size_t i = 0; i < matrix.size(); ++i) matrix[i] = float(step * 1000) + float(i);
    for (std::size_t i = 0; i < vector.size(); ++i) vector[i] = float(step) + float(i) / 16;
  }

  TrainingState training(std::int64_t step) const {
    TrainingState state;
    state.step = step;
    state.tokens = step * 4096;
    state.data_position = {step, -3, 1LL << 60};
    state.seed = ~0ULL;
    state.guard = {0.1, std::numeric_limits<double>::infinity(), -1e-300};
    state.elapsed_seconds = 12.345678901234567;
    state.config_toml = "[model]\nname = \"中 \\\"x\\\"\"\n";
    state.tokenizer_hash = "abc";
    return state;
  }

  void expect_loads(const Checkpoint& checkpoint) {
    for (const CheckpointTensor& tensor : tensors) {
      std::vector<float> read(static_cast<std::size_t>(tensor.values.elements()), -1);
      checkpoint.load(context, tensor.kind, tensor.name,
                      Tensor(read.data(), DType::f32, tensor.values.shape));
      const auto* want = static_cast<const float*>(tensor.values.data);
      ASSERT_EQ(read, std::vector<float>(want, want + read.size())) << tensor.name;
    }
  }
};

std::string saved(const std::string& directory, State& state, std::int64_t step) {
  const std::string path = directory + "/" + checkpoint_name(step);
  state.fill(step);
  write_checkpoint(path, state.tensors, state.training(step));
  return path;
}

CheckpointConfig by_steps(std::int64_t keep_last = 2) {
  CheckpointConfig config;
  config.interval_seconds = 0;
  config.every_steps = 1;
  config.keep_last = keep_last;
  return config;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

TEST(Checkpoint, ComesBackExactly) {
  const std::string directory = fresh_directory("exact");
  State state;
  const Checkpoint checkpoint(saved(directory, state, 12));
  EXPECT_EQ(checkpoint.state(), state.training(12));
  EXPECT_EQ(checkpoint.entries().size(), state.tensors.size());
  EXPECT_TRUE(checkpoint.has(StateKind::first_moment));
  state.expect_loads(checkpoint);
}

TEST(Checkpoint, AnySliceFromAnySlices) {
  const std::string directory = fresh_directory("slices");
  constexpr std::int64_t rows = 9, columns = 6;
  std::vector<float> values(rows * columns);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = float(i) + 0.5f;
  State unused;
  std::mt19937 random(5);
  for (int trial = 0; trial < 20; ++trial) {
    // Stored as ranges of the flattened matrix, cut at random places.
    std::vector<CheckpointTensor> tensors;
    for (std::int64_t at = 0; at < rows * columns;) {
      const auto count = std::min<std::int64_t>(rows * columns - at, 1 + random() % 23);
      for (auto& box : checkpoint_range(StateKind::first_moment, "m", {rows, columns}, at,
                                        Tensor(values.data() + at, DType::f32, {count}))) {
        tensors.push_back(std::move(box));
      }
      at += count;
    }
    const std::string path = directory + "/" + checkpoint_name(trial);
    write_checkpoint(path, tensors, unused.training(trial));
    const Checkpoint checkpoint(path);
    const std::int64_t r = random() % rows, c = random() % columns;
    const std::int64_t height = 1 + random() % (rows - r), width = 1 + random() % (columns - c);
    std::vector<bfloat16> wide(static_cast<std::size_t>(height * columns));
    const Tensor into = Tensor(wide.data(), DType::bf16, {height, columns}).columns(c, width);
    const std::int64_t offset[] = {r, c};
    checkpoint.load_slice(unused.context, StateKind::first_moment, "m", offset, into);
    for (std::int64_t i = 0; i < height; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) {
        const bool inside = j >= c && j < c + width;
        const float want = inside ? values[static_cast<std::size_t>((r + i) * columns + j)] : 0;
        ASSERT_EQ(static_cast<float>(wide[static_cast<std::size_t>(i * columns + j)]), want);
      }
    }
  }
}

TEST(Checkpoint, WrongRequestsNameTheTensor) {
  const std::string directory = fresh_directory("requests");
  State state;
  const Checkpoint checkpoint(saved(directory, state, 1));
  std::vector<float> memory(100);
  const auto load = [&](const char* name, Shape shape) {
    return message_of([&] {
      checkpoint.load(state.context, StateKind::weight, name,
                      Tensor(memory.data(), DType::f32, shape));
    });
  };
  EXPECT_THAT(load("absent", {3}), HasSubstr("holds no weight of 'absent'"));
  EXPECT_THAT(load("vector", {4}), HasSubstr("'vector' has the shape [3], but [4] is wanted"));
  const std::int64_t offset[] = {6, 0};
  EXPECT_THAT(message_of([&] {
                checkpoint.load_slice(state.context, StateKind::weight, "matrix", offset,
                                      Tensor(memory.data(), DType::f32, {2, 5}));
              }),
              HasSubstr("'matrix' has the shape [7, 5], which holds no [2, 5] at [6, 0]"));
}

// Every file of a checkpoint, cut short and with bytes flipped: the newest is left
// out, the one before opens.
TEST(Checkpoint, DamageToAnyFileIsSeen) {
  const std::string directory = fresh_directory("damage");
  State state;
  saved(directory, state, 1);
  const std::string newest = saved(directory, state, 2);
  std::mt19937 random(7);
  for (const auto& entry : fs::directory_iterator(newest)) {
    const std::string path = entry.path(), whole = read_file(path);
    for (int trial = 0; trial < 12; ++trial) {
      std::string damaged = whole;
      const std::size_t at = random() % whole.size();
      if (trial % 2) {
        damaged.resize(at);
      } else {
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
      }
      write_file(path, damaged);
      EXPECT_THAT(message_of([&] { Checkpoint{newest}; }), HasSubstr(path)) << at;
      const auto latest = latest_checkpoint(directory);
      ASSERT_TRUE(latest);
      EXPECT_EQ(latest->step(), 1);
    }
    fs::remove(path);
    EXPECT_THAT(message_of([&] { Checkpoint{newest}; }), HasSubstr(path));
    write_file(path, whole);
  }
  EXPECT_EQ(latest_checkpoint(directory)->step(), 2);
}

// A manifest whose checksum is right, but whose claims are not.
TEST(Checkpoint, LyingManifestsAreRefused) {
  const std::string directory = fresh_directory("lies");
  State state;
  const std::string path = saved(directory, state, 3) + "/manifest.json";
  const CheckpointManifest honest = parse_checkpoint_manifest(read_file(path), path);
  const auto refused = [&](auto&& lie) {
    CheckpointManifest manifest = honest;
    lie(manifest);
    write_file(path, checkpoint_manifest_text(manifest));
    return message_of([&] { Checkpoint{fs::path(path).parent_path().string()}; });
  };
  EXPECT_EQ(refused([](CheckpointManifest&) {}), "");
  EXPECT_THAT(refused([](CheckpointManifest& m) {
                m.tensors[0].shape = {8, 5};
              }),
              HasSubstr("35 of its 40"));
  EXPECT_THAT(refused([](CheckpointManifest& m) {
                m.tensors[0].shape = {6, 5};
              }),
              HasSubstr("not inside"));
  EXPECT_THAT(refused([](CheckpointManifest& m) { m.tensors[0].dtype = DType::bf16; }),
              HasSubstr("says BF16"));
  EXPECT_THAT(
      refused([](CheckpointManifest& m) { m.tensors[0].slices.push_back(m.tensors[0].slices[0]); }),
      HasSubstr("overlap"));
  EXPECT_THAT(refused([](CheckpointManifest& m) { m.tensors[0].slices[0].key = "x"; }),
              HasSubstr("holds no tensor 'x'"));
  EXPECT_THAT(refused([](CheckpointManifest& m) { m.tensors[0].slices[0].file = "x"; }),
              HasSubstr("no file of the checkpoint"));
  EXPECT_THAT(refused([](CheckpointManifest& m) {
                m.tensors[0].slices[0].offset = {INT64_MAX, 0};
              }),
              HasSubstr("not inside"));
  EXPECT_THAT(refused([](CheckpointManifest& m) { m.files[0].name = "../x"; }),
              HasSubstr("no name of a file"));
  EXPECT_THAT(refused([](CheckpointManifest& m) { m.files.pop_back(); }),
              HasSubstr("lists no state.json"));
  EXPECT_THAT(refused([](CheckpointManifest& m) { m.tensors.push_back(m.tensors[0]); }),
              HasSubstr("twice"));
  EXPECT_THAT(refused([](CheckpointManifest& m) { m.step = 4; }), HasSubstr("of step 3, but"));
}

TEST(Checkpoint, AllDamagedIsAnErrorAndNoneIsNot) {
  const std::string directory = fresh_directory("all");
  EXPECT_FALSE(latest_checkpoint(directory));
  EXPECT_FALSE(latest_checkpoint(directory + "/absent"));
  State state;
  fs::remove(saved(directory, state, 1) + "/manifest.json");
  EXPECT_THAT(message_of([&] { latest_checkpoint(directory); }), HasSubstr("none of its 1"));
  EXPECT_THAT(message_of([&] { open_checkpoint(directory + "/absent"); }),
              HasSubstr("no directory"));
}

TEST(Checkpoint, NamesReadBack) {
  EXPECT_EQ(checkpoint_name(1200), "step-00001200");
  EXPECT_EQ(checkpoint_step("step-00001200"), 1200);
  for (const char* other : {"step-1200", "step-00001200.tmp-1-2", "step-", "x", "step-0000120x"}) {
    EXPECT_FALSE(checkpoint_step(other)) << other;
  }
}

TEST(Retention, KeepsTheLastAndEveryKth) {
  const std::int64_t steps[] = {10, 20, 30, 40, 50};
  EXPECT_THAT(steps_to_remove(steps, {2, 0}, 50), ElementsAre(30, 20, 10));
  EXPECT_THAT(steps_to_remove(steps, {1, 20}, 50), ElementsAre(30, 10));
  EXPECT_THAT(steps_to_remove(steps, {1, 0}, 30), ElementsAre(20, 10));  // 40, 50 are later
  EXPECT_THAT(steps_to_remove(std::span(steps, 1), {1, 0}, 10), IsEmpty());
}

TEST(CheckpointWriter, SavesWhatStoodThereAndRemovesOldOnes) {
  const std::string directory = fresh_directory("writer");
  State state;
  fs::create_directories(directory + "/step-00000009.tmp-1-2");  // a dead save's
  CheckpointWriter writer(directory, by_steps(), state.tensors);
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
  state.fill(4);
  state.expect_loads(*latest_checkpoint(directory));
  EXPECT_EQ(writer.save_and_wait(state.context, state.training(4)).bytes, 0u);  // is there
}

TEST(CheckpointWriter, PostponesAndNeverSavesTwiceAtOnce) {
  const std::string directory = fresh_directory("postpone");
  State state(1000, 5);  // 80 KB at 0.4 MB/s: 0.2 s
  CheckpointConfig config = by_steps();
  config.max_write_megabytes = 0.4;
  config.every_steps = 2;
  CheckpointWriter writer(directory, config, state.tensors);
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
}

TEST(CheckpointWriter, SetsLaterOnesAside) {
  const std::string directory = fresh_directory("aside");
  State state;
  saved(directory, state, 1);
  saved(directory, state, 2);
  CheckpointWriter writer(directory, by_steps(), state.tensors, 1);
  EXPECT_THAT(checkpoint_steps(directory), ElementsAre(1));
  EXPECT_TRUE(fs::exists(directory + "/step-00000002.abandoned"));
}

// A full disk, played by the limit on a file's size.
TEST(CheckpointWriter, FullDiskIsAWarningAndLeavesNoDebris) {
  const std::string directory = fresh_directory("full");
  State state(4000, 5);
  saved(directory, state, 1);
  CheckpointWriter writer(directory, by_steps(1), state.tensors, 1);
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
  EXPECT_EQ(latest_checkpoint(directory)->step(), 1);
  EXPECT_TRUE(writer.save_and_wait(state.context, state.training(2)).committed());
  EXPECT_EQ(latest_checkpoint(directory)->step(), 2);
}

TEST(CheckpointWriter, ConfigErrorsNameTheKey) {
  CheckpointConfig config;
  config.keep_last = 0;
  EXPECT_THAT(message_of([&] { check(config); }), HasSubstr("checkpoint.keep_last is 0"));
  config = {};
  config.interval_seconds = std::nan("");
  EXPECT_THAT(message_of([&] { check(config); }), HasSubstr("checkpoint.interval_seconds is nan"));
}

// Run in a child process, which is killed: saves for ever.
TEST(CheckpointChild, DISABLED_SavesForEver) {
  const std::string directory = getenv("FATHOM_TEST_DIRECTORY");
  State state(4000, 5);
  std::int64_t step = 0;
  if (const auto latest = latest_checkpoint(directory)) {
    step = latest->step();
    state.fill(step);
    state.expect_loads(*latest);
    if (HasFailure()) _exit(3);
  }
  CheckpointWriter writer(directory, by_steps(), state.tensors, step);
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
}  // namespace fathom

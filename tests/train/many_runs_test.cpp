// Many runs in one process, one after another and side by side on threads: what each takes it
// gives back, and its result is that of a process of its own. FATHOM_RUNS=200 makes so many
// runs of each kind and prints the figures.
#include <gtest/gtest.h>
#include <malloc.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "train/memory_table.h"
#include "train/small_run.h"

extern char** environ;

namespace fathom {
namespace {

using namespace test;

// What the process holds.
struct Holdings {
  std::size_t heap = 0;      // bytes that were taken from malloc and not given back
  std::size_t resident = 0;  // bytes, with what malloc keeps for later
  std::size_t threads = 0, files = 0;
  std::size_t device_free = 0;  // bytes of the GPU, where there is one

  static Holdings now(Device device) {
    const struct mallinfo2 heap = mallinfo2();
    const auto count = [](const char* directory) {
      return static_cast<std::size_t>(
          std::distance(std::filesystem::directory_iterator(directory), {}));
    };
    return {heap.uordblks + heap.hblkhd, ProcessMemory::now().resident, count("/proc/self/task"),
            count("/proc/self/fd"), free_memory(device)};
  }
};

class ManyRuns : public testing::Test {
 protected:
  ManyRuns() { prepare(dir_); }

  static int count(int usual) {
    const char* const asked = std::getenv("FATHOM_RUNS");
    return asked ? std::atoi(asked) : usual;
  }

  TrainConfig config(const std::string& output) const {
    TrainConfig c = tiny(dir_, output);
    c.device = to_string(device_);
    c.deterministic = true;
    c.threads = 2;
    c.train.micro_batch = 2;
    c.train.steps = 4;
    c.validation.every_steps = 2;
    c.checkpoint.every_steps = 2;
    return c;
  }

  // The finished model; the run's directory goes.
  std::string train_once(const std::string& output, int ranks) {
    TrainOptions options;
    options.ranks = ranks;
    const TrainConfig c = config(output);
    EXPECT_EQ(train(runtime_, c, options), 0);
    std::string model = read_file(c.output + "/model/model.safetensors");
    std::filesystem::remove_all(c.output);
    return model;
  }

  // The model of a run in a process of its own.
  std::string model_of_another_process(int ranks) const {
    const TrainConfig c = config(fmt::format("other-{}", ranks));
    setenv("FATHOM_TEST_CONFIG", (dir_ / "other.toml").c_str(), 1);
    setenv("FATHOM_TEST_RANKS", std::to_string(ranks).c_str(), 1);
    TrainConfig copy = c;
    write_file(dir_ / "other.toml", config_to_toml(copy));
    const char* arguments[] = {"train_test", "--gtest_filter=ManyRunsChild.*",
                               "--gtest_also_run_disabled_tests", "--gtest_brief=1", nullptr};
    pid_t child = 0;
    EXPECT_EQ(posix_spawn(&child, "/proc/self/exe", nullptr, nullptr,
                          const_cast<char* const*>(arguments), environ),
              0);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    return read_file(c.output + "/model/model.safetensors");
  }

  void print(const char* kind, int runs, const Holdings& h) const {
    if (!std::getenv("FATHOM_RUNS")) return;
    std::printf("%s %4d runs: resident %6.1f MB, heap %6.2f MB, %zu threads, %zu open files", kind,
                runs, double(h.resident) / 1e6, double(h.heap) / 1e6, h.threads, h.files);
    if (device_.type == DeviceType::cuda) std::printf(", GPU free %zu MB", h.device_free >> 20);
    std::printf("\n");
  }

  // A run holds a megabyte and more while it trains, of which nothing may stay.
  void expect_flat(const Holdings& before) const {
    Holdings after = Holdings::now(device_);
    // The kernel lists a thread for a moment after it was joined.
    for (int i = 0; i < 100'000 && after.threads > before.threads; ++i) {
      std::this_thread::yield();
      after = Holdings::now(device_);
    }
    EXPECT_LE(after.threads, before.threads);
    EXPECT_EQ(after.files, before.files);
    EXPECT_LT(after.heap, before.heap + (64 << 10)) << "bytes of malloc";
    EXPECT_GE(after.device_free, before.device_free);
  }

  TempDir dir_;
  Runtime runtime_{Signals::stop_runs, gemm_peak};
  Device device_ = cuda::device_count() > 0 ? Device{DeviceType::cuda, 0} : cpu_device;
};

// Every third one on two ranks.
TEST_F(ManyRuns, OneAfterAnotherLeaveNothingBehind) {
  const int runs = count(12);
  const auto ranks_of = [](int run) { return run % 3 == 2 ? 2 : 1; };
  const std::string expected[] = {model_of_another_process(1), model_of_another_process(2)};
  ASSERT_NE(expected[0], "");
  Holdings tenth;
  for (int run = 0; run < runs; ++run) {
    const std::string model = train_once(fmt::format("run{}", run), ranks_of(run));
    ASSERT_TRUE(model == expected[ranks_of(run) - 1]) << "run " << run;
    const Holdings holds = Holdings::now(device_);
    if (run == 9) tenth = holds;
    if ((run + 1) % 10 == 0 || run == 0) print("in turn     ", run + 1, holds);
  }
  expect_flat(tenth);
}

TEST_F(ManyRuns, FourSideBySideLeaveNothingBehind) {
  constexpr int at_once = 4;
  const int rounds = std::max(3, count(12) / at_once);
  const std::string expected = model_of_another_process(1);
  Holdings early;
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::string> models(at_once);
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < at_once; ++i) {
        threads.emplace_back(
            [&, i] { models[std::size_t(i)] = train_once(fmt::format("run{}-{}", round, i), 1); });
      }
    }
    for (const std::string& model : models) ASSERT_TRUE(model == expected) << "round " << round;
    const Holdings holds = Holdings::now(device_);
    if (round == std::min(rounds - 2, 2)) early = holds;
    if ((round + 1) % 5 == 0 || round == 0) print("side by side", at_once * (round + 1), holds);
  }
  expect_flat(early);
}

// The process that the tests above start.
TEST(ManyRunsChild, DISABLED_Train) {
  TrainOptions options;
  options.ranks = std::atoi(std::getenv("FATHOM_TEST_RANKS"));
  Runtime runtime(Signals::stop_runs, gemm_peak);
  const TrainConfig config = load_train_config(std::getenv("FATHOM_TEST_CONFIG"), {}, "auto");
  ASSERT_EQ(train(runtime, config, options), 0);
}

}  // namespace
}  // namespace fathom

// Runs of `fathom train` that are killed, stopped, or find the disk full: what is
// resumed ends with the very weights of the uninterrupted run.
#include <gmock/gmock.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

#include "cli/tiny_run.h"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

void sleep_seconds(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

bool exists_within(const std::string& path, double seconds) {
  for (; seconds > 0; seconds -= 0.01) {
    if (fs::exists(path)) return true;
    sleep_seconds(0.01);
  }
  return false;
}

// The finished model's weights, as the file holds them.
std::string weights_of_run(const std::string& run) {
  std::string bytes = read_file(run + "/model/model.safetensors");
  EXPECT_GT(bytes.size(), 100000u) << run;
  return bytes;
}

int temporaries(const std::string& directory) {
  int count = 0;
  if (!fs::exists(directory)) return 0;
  for (const auto& entry : fs::directory_iterator(directory)) {
    count += entry.path().filename().string().find(".tmp-") != std::string::npos;
  }
  return count;
}

// Empty when there is none.
std::string newest_checkpoint(const std::string& run) {
  std::string newest;
  if (!fs::exists(run + "/checkpoints")) return newest;
  for (const auto& entry : fs::directory_iterator(run + "/checkpoints")) {
    const std::string name = entry.path().filename().string();
    if (name.size() == std::string("step-00000000").size()) newest = std::max(newest, name);
  }
  return newest;
}

class TrainFaults : public testing::Test {
 protected:
  void SetUp() override { make_tiny_data(dir_); }

  std::vector<std::string> command(const std::string& run, std::int64_t steps) {
    return {"train",         config_, "--set",
            "output=" + run, "--set", fmt::format("train.steps={}", steps)};
  }
  // Starts or resumes a run and waits until it has saved something.
  std::unique_ptr<Process> start(const std::vector<std::string>& arguments,
                                 const std::string& run) {
    const std::string before = newest_checkpoint(run);
    auto process = std::make_unique<Process>(dir_, arguments);
    for (int i = 0; i < 3000 && newest_checkpoint(run) == before; ++i) sleep_seconds(0.01);
    EXPECT_NE(newest_checkpoint(run), before) << read_file(dir_ / "stderr");
    return process;
  }

  TempDir dir_;
  // Written slowly, so that a save is nearly always under way.
  std::string config_ = make_tiny_config(dir_, "max_write_megabytes = 20\n");
};

// FATHOM_KILLS=20 for the long version.
TEST_F(TrainFaults, KilledAtRandomMomentsEndsWithTheSameWeights) {
  const char* wanted = std::getenv("FATHOM_KILLS");
  const int kills = wanted ? std::atoi(wanted) : 3;
  const std::int64_t steps = 100 + 250 * kills;
  must(run_fathom(dir_, command(dir_ / "whole", steps)));
  const std::string run = dir_ / "killed";
  std::mt19937 random(std::random_device{}());
  std::uniform_real_distribution<double> pause(0.0, 0.4);
  int inside_a_save = 0, killed = 0;
  for (; killed < kills; ++killed) {
    Process process(dir_, command(run, steps));
    if (killed == 0) {
      ASSERT_TRUE(exists_within(run + "/metrics.jsonl", 30));
    }
    sleep_seconds((killed == 0 ? 0 : 0.35) + pause(random));
    process.send(SIGKILL);
    const Outcome outcome = process.wait();
    ASSERT_EQ(outcome.signal, SIGKILL) << "ended before kill " << killed << ": " << outcome.err;
    inside_a_save += temporaries(run + "/checkpoints") > 0;
  }
  const Outcome last = run_fathom(dir_, command(run, steps));
  must(last);
  EXPECT_THAT(last.err, HasSubstr("resuming"));
  EXPECT_TRUE(weights_of_run(run) == weights_of_run(dir_ / "whole"));
  EXPECT_EQ(temporaries(run + "/checkpoints"), 0);
  fmt::print("{} kills, {} of them inside a save\n", killed, inside_a_save);
}

TEST_F(TrainFaults, SignalsSaveAndExitAndTheSameCommandGoesOn) {
  constexpr std::int64_t steps = 400;
  must(run_fathom(dir_, command(dir_ / "whole", steps)));
  const std::string run = dir_ / "stopped";
  for (const int signal : {SIGTERM, SIGINT}) {
    const auto process = start(command(run, steps), run);
    process->send(signal);
    const Outcome outcome = process->wait();
    ASSERT_EQ(outcome.code, 128 + signal) << outcome.err;
    EXPECT_EQ(outcome.signal, 0);
    EXPECT_THAT(outcome.err, HasSubstr("the same command goes on from there"));
    EXPECT_EQ(temporaries(run + "/checkpoints"), 0);
  }
  must(run_fathom(dir_, command(run, steps)));
  EXPECT_TRUE(weights_of_run(run) == weights_of_run(dir_ / "whole"));
}

// A limit on the size of files stands for the full disk: writing fails in the same way.
TEST_F(TrainFaults, AFullDiskLeavesTheOldCheckpointAndTheRunGoesOn) {
  constexpr std::int64_t steps = 300;
  must(run_fathom(dir_, command(dir_ / "whole", steps)));
  const std::string run = dir_ / "full";
  const auto process = start(command(run, steps), run);
  process->send(SIGTERM);
  ASSERT_EQ(process->wait().code, 128 + SIGTERM);

  const Outcome full = run_fathom(dir_, command(run, steps), 100000);
  EXPECT_EQ(full.code, 1) << "the model could not be written";
  EXPECT_THAT(full.err, HasSubstr("was not saved ("));
  EXPECT_THAT(full.err, HasSubstr("training goes on, earlier ones stay valid"));
  EXPECT_THAT(full.err, HasSubstr(fmt::format("step {0}/{0}", steps))) << "trained to its end";
  EXPECT_NE(newest_checkpoint(run), "");
  EXPECT_EQ(temporaries(run + "/checkpoints"), 0);

  const Outcome again = run_fathom(dir_, command(run, steps));
  must(again);
  EXPECT_THAT(again.err, HasSubstr("resuming"));
  EXPECT_TRUE(weights_of_run(run) == weights_of_run(dir_ / "whole"));
}

TEST_F(TrainFaults, ASecondRunOnTheSameOutputIsRefused) {
  const std::string run = dir_ / "run";
  const auto first = start(command(run, 100000), run);
  const Outcome second = run_fathom(dir_, command(run, 100000));
  EXPECT_EQ(second.code, 2);
  EXPECT_THAT(second.err, HasSubstr("is in use by process"));
}

}  // namespace
}  // namespace fathom::test

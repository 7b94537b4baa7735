// Runs of `fathom train` that are killed, stopped, or find the disk full: what is
// resumed ends with the very weights of the uninterrupted run.
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
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

// The last step in the run's metrics; 0 when there is none.
std::int64_t last_step(const std::string& run) {
  std::ifstream file(run + "/metrics.jsonl", std::ios::binary | std::ios::ate);
  const auto size = file ? static_cast<std::int64_t>(file.tellg()) : 0;
  file.seekg(std::max<std::int64_t>(0, size - 2000));
  const std::string tail(std::istreambuf_iterator<char>(file), {});
  const std::string key = "\"step\":";
  const std::size_t at = tail.rfind(key);
  return at == std::string::npos ? 0 : std::atoll(tail.c_str() + at + key.size());
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
std::string newest_checkpoint_name(const std::string& run) {
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
    const std::string before = newest_checkpoint_name(run);
    auto process = std::make_unique<Process>(dir_, arguments);
    EXPECT_TRUE(process->until([&] { return newest_checkpoint_name(run) != before; }))
        << read_file(dir_ / "stderr");
    return process;
  }

  TempDir dir_;
  // Written slowly, so that a save is nearly always under way.
  std::string config_ = make_tiny_config(dir_, "max_write_megabytes = 20\n");
};

// Kills are spread over the run by its own steps, so that a loaded machine moves them
// with it; a pause behind each puts them inside of steps and saves. The first comes when
// there is a checkpoint. FATHOM_KILLS=20 for the long version.
TEST_F(TrainFaults, KilledAtRandomMomentsEndsWithTheSameWeights) {
  const char* wanted = std::getenv("FATHOM_KILLS");
  const int kills = wanted ? std::atoi(wanted) : 3;
  constexpr std::int64_t apart = 150;
  const std::int64_t steps = apart * (kills + 2);
  must(run_fathom(dir_, command(dir_ / "whole", steps)));
  const std::string run = dir_ / "killed";
  std::mt19937 random(std::random_device{}());
  std::uniform_int_distribution<std::int64_t> extra(1, apart);
  std::uniform_real_distribution<double> pause(0.0, 0.05);
  int inside_a_save = 0;
  for (int i = 0; i < kills; ++i) {
    Process process(dir_, command(run, steps));
    const std::int64_t step = apart * i + extra(random);
    ASSERT_TRUE(process.until([&] {
      return last_step(run) >= step && !newest_checkpoint_name(run).empty();
    })) << "kill "
        << i << " at step " << step << ": " << read_file(dir_ / "stderr");
    sleep_seconds(pause(random));
    process.send(SIGKILL);
    const Outcome outcome = process.wait();
    ASSERT_EQ(outcome.signal, SIGKILL) << "ended before kill " << i << ": " << outcome.err;
    inside_a_save += temporaries(run + "/checkpoints") > 0;
  }
  const Outcome last = run_fathom(dir_, command(run, steps));
  must(last);
  EXPECT_THAT(last.err, HasSubstr("resuming"));
  EXPECT_TRUE(weights_of_run(run) == weights_of_run(dir_ / "whole"));
  EXPECT_EQ(temporaries(run + "/checkpoints"), 0);
  fmt::print("{} kills, {} of them inside a save\n", kills, inside_a_save);
}

TEST_F(TrainFaults, SignalsSaveAndExitAndTheSameCommandGoesOn) {
  constexpr std::int64_t steps = 400;
  must(run_fathom(dir_, command(dir_ / "whole", steps)));
  const std::string run = dir_ / "stopped";
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
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

// Killed where it has saved nothing of its own yet, and then where it has.
TEST_F(TrainFaults, AContinuedRunThatIsKilledEndsWithTheSameWeights) {
  constexpr std::int64_t steps = 300;
  std::vector<std::string> first = command(dir_ / "first", steps);
  first.insert(first.end(), {"--set", "checkpoint.keep_phase_ends=true"});
  must(run_fathom(dir_, first));
  const auto continued = [&](const std::string& run) {
    std::vector<std::string> arguments = command(run, 2 * steps);
    arguments.insert(arguments.end(),
                     {"--set", fmt::format("continue_from={}@{}", dir_ / "first", steps * 4 / 5)});
    return arguments;
  };
  must(run_fathom(dir_, continued(dir_ / "whole")));
  const std::string run = dir_ / "killed";
  {
    Process process(dir_, continued(run));
    ASSERT_TRUE(process.until([&] { return fs::exists(run + "/.lock"); }));
    process.send(SIGKILL);
    ASSERT_EQ(process.wait().signal, SIGKILL);
  }
  const auto process = start(continued(run), run);
  process->send(SIGKILL);
  ASSERT_EQ(process->wait().signal, SIGKILL);
  fs::remove_all(dir_ / "first");
  const Outcome last = run_fathom(dir_, continued(run));
  must(last);
  EXPECT_THAT(last.err, HasSubstr("resuming " + run));
  EXPECT_TRUE(weights_of_run(run) == weights_of_run(dir_ / "whole"));
  const Outcome refused = run_fathom(dir_, continued(dir_ / "none"));
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("first: is no directory; name a checkpoint"));
}

// A handler has to keep away from the stacks that products run on: here a step takes long, and
// signals come all the time.
TEST_F(TrainFaults, ManySignalsAreOne) {
  const std::string run = dir_ / "run";
  std::vector<std::string> arguments = command(run, 100000);
  arguments.insert(arguments.end(), {"--set", "train.global_batch=64"});
  const auto process = start(arguments, run);
  while (process->running()) {
    process->send(SIGTERM);
    sleep_seconds(0.0002);
  }
  const Outcome outcome = process->wait();
  EXPECT_THAT(outcome.err, HasSubstr("the same command goes on from there"));
  // One that comes after the end of the training may end the process before it does so itself.
  EXPECT_THAT(outcome.signal, testing::AnyOf(0, SIGTERM)) << outcome.err;
}

TEST_F(TrainFaults, TrainingOutlivesTheReaderOfItsMessages) {
  const std::string run = dir_ / "unread";
  const std::string code = dir_ / "code";
  const std::string shell =
      fmt::format("{{ {} train {} --set output={} 2>&1; echo $? > {}; }} | true", FATHOM_BINARY,
                  config_, run, code);
  ASSERT_EQ(std::system(shell.c_str()), 0);
  EXPECT_EQ(read_file(code), "0\n");
  EXPECT_FALSE(weights_of_run(run).empty());
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
  EXPECT_NE(newest_checkpoint_name(run), "");
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

// Runs under mpirun whose ranks are killed, stopped, find the disk full, or fail in a
// layer, and whose checkpoints are cut short between runs: each is told with the rank's
// name, within 30 seconds; what is resumed ends with the undisturbed run's weights.
// FATHOM_FAULTS=50 for the long version; by default one of each kind.
#include <gmock/gmock.h>

#include <random>
#include <stdexcept>
#include <thread>

#include "cli/rank_processes.h"
#include "cli/tiny_run.h"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr int ranks = 4;
enum class Fault { killed, stopped, disk_full, truncated, layer };
constexpr int num_faults = 5;

// "rank 3 (pp 1, dp 1, tp 0)" in the layout of these runs.
std::string name_of(int rank) {
  return fmt::format("rank {} (pp {}, dp {}, tp 0)", rank, rank / 2, rank % 2);
}

std::vector<std::string> checkpoints_of(const std::string& run) {
  std::vector<std::string> names;
  if (!fs::exists(run + "/checkpoints")) return names;
  for (const auto& entry : fs::directory_iterator(run + "/checkpoints")) {
    if (entry.path().filename().string().size() == std::string("step-00000000").size()) {
      names.push_back(entry.path());
    }
  }
  std::ranges::sort(names);
  return names;
}

std::string newest_checkpoint(const std::string& run) {
  const std::vector<std::string> all = checkpoints_of(run);
  if (all.empty()) throw std::runtime_error(run + ": no checkpoint was saved");
  return all.back();
}

class RankFaults : public testing::Test {
 protected:
  void SetUp() override {
    if (std::string(FATHOM_MPIRUN).empty()) GTEST_SKIP() << "takes mpirun";
    make_tiny_data(dir_);
    config_ = make_tiny_config(dir_, "max_write_megabytes = 20\n[parallel]\npp = 2\n");
  }

  std::vector<std::string> command(const std::string& run, std::int64_t steps,
                                   const std::string& fault = "") const {
    std::vector<std::string> words{FATHOM_MPIRUN, "-n", std::to_string(ranks), "--oversubscribe",
                                   "--allow-run-as-root"};
    if (!fault.empty()) {
      for (const std::string& variable :
           {std::string("LD_PRELOAD=" FATHOM_FAULT_SHIM), "FATHOM_FAULT=" + fault}) {
        words.insert(words.end(), {"-x", variable});
      }
    }
    // Under the address sanitizer: what is preloaded comes before it, and Open MPI leaks.
    words.insert(words.end(), {"-x", "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0"});
    words.insert(words.end(),
                 {FATHOM_BINARY, "train", config_, "--set", "output=" + run, "--set", "threads=1",
                  "--set", "schedule.kind=constant", "--set", "schedule.max_warmup=0", "--set",
                  fmt::format("train.steps={}", steps)});
    return words;
  }

  // Starts the run and waits until it has saved something since.
  std::unique_ptr<Process> start(const std::vector<std::string>& words, const std::string& run) {
    const std::vector<std::string> before = checkpoints_of(run);
    auto process = std::make_unique<Process>(dir_, words, Process::Program::any);
    const bool saved = within(60, [&] {
      const auto now = checkpoints_of(run);
      return now.size() >= 2 && now != before;
    });
    EXPECT_TRUE(saved) << read_file(dir_ / "stderr");
    return process;
  }

  void expect_told(const Outcome& outcome, int rank, Clock::time_point since) const {
    EXPECT_LT(seconds_since(since), 30);
    EXPECT_TRUE(outcome.code != 0) << outcome.err;
    const std::size_t first = outcome.err.find("error: rank ");
    ASSERT_NE(first, std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.err.substr(first + 7, name_of(rank).size()), name_of(rank)) << outcome.err;
  }

  static void end_job(Process& process) {
    if (const pid_t first = pid_of(process.pid(), 0); first > 0) ::kill(first, SIGKILL);
    process.wait();
  }

  void send_signal(const std::string& run, std::int64_t steps, int rank, int signal) {
    const auto process = start(command(run, steps), run);
    std::this_thread::sleep_for(std::chrono::duration<double>(pause_(random_)));
    const auto since = Clock::now();
    const pid_t victim = pid_of(process->pid(), rank);
    ASSERT_GT(victim, 0);
    ::kill(victim, signal);
    expect_told(process->wait(), rank, since);
  }

  void fail_in_a_layer(const std::string& run, std::int64_t steps, int rank) {
    const auto call = std::uniform_int_distribution<int>(500, 4000)(random_);
    Process process(dir_, command(run, steps, fmt::format("layer {} {}", rank, call)),
                    Process::Program::any);
    const Outcome outcome = process.wait();
    expect_told(outcome, rank, Clock::now());
    EXPECT_THAT(outcome.err, HasSubstr("oneDNN"));
  }

  // The run goes on without its saves, and is killed once it has told of one; when the
  // first file of all fails, it ends by itself.
  void fill_the_disk(const std::string& run, std::int64_t steps, int rank) {
    const auto call = std::uniform_int_distribution<int>(1, 40)(random_);
    Process process(dir_, command(run, steps, fmt::format("disk {} {}", rank, call)),
                    Process::Program::any);
    EXPECT_TRUE(within(30, [&] {
      const std::string err = read_file(dir_ / "stderr");
      return err.find(name_of(rank)) != std::string::npos &&
             err.find("No space left on device") != std::string::npos;
    })) << read_file(dir_ / "stderr");
    end_job(process);
  }

  void cut_a_slice(const std::string& run, std::int64_t steps, int rank) {
    send_signal(run, steps, rank, SIGKILL);
    const std::string newest = newest_checkpoint(run);
    std::vector<std::string> slices;
    for (const auto& entry : fs::directory_iterator(newest)) {
      if (entry.path().extension() == ".safetensors") slices.push_back(entry.path());
    }
    std::ranges::sort(slices);
    ASSERT_FALSE(slices.empty()) << newest;
    const std::string& slice =
        slices[std::uniform_int_distribution<std::size_t>(0, slices.size() - 1)(random_)];
    fs::resize_file(slice, fs::file_size(slice) / 2);
    const auto process = start(command(run, steps), run);
    const std::string damaged = fs::path(newest).filename().string();
    // What ranks log comes through mpirun, a little later.
    EXPECT_TRUE(
        within(10, [&] { return read_file(dir_ / "stderr").find(damaged) != std::string::npos; }))
        << damaged << " is not told as damaged:\n"
        << read_file(dir_ / "stderr");
    end_job(*process);
  }

  TempDir dir_;
  std::string config_;
  std::mt19937 random_{std::random_device{}()};
  std::uniform_real_distribution<double> pause_{0.0, 0.5};
};

TEST_F(RankFaults, EachIsToldAndTheResumedRunEndsWithTheSameWeights) {
  const char* const wanted = std::getenv("FATHOM_FAULTS");
  const int faults = wanted ? std::atoi(wanted) : num_faults;
  constexpr std::int64_t steps = 10000000;  // never reached
  const std::string run = dir_ / "faulty", whole = dir_ / "whole";
  for (int i = 0; i < faults && !HasFatalFailure(); ++i) {
    const auto fault = static_cast<Fault>(i % num_faults);
    const int rank = std::uniform_int_distribution<int>(0, ranks - 1)(random_);
    SCOPED_TRACE(fmt::format("fault {} of kind {} on rank {}", i, i % num_faults, rank));
    if (fault == Fault::killed) send_signal(run, steps, rank, SIGKILL);
    if (fault == Fault::stopped) send_signal(run, steps, rank, SIGSTOP);
    if (fault == Fault::disk_full) fill_the_disk(run, steps, rank);
    if (fault == Fault::truncated) cut_a_slice(run, steps, rank);
    if (fault == Fault::layer) fail_in_a_layer(run, steps, rank);
  }
  // Where the run has come to, and a little more: the undisturbed one need not be longer.
  const std::string newest = fs::path(newest_checkpoint(run)).filename().string();
  const std::int64_t last = std::stoll(newest.substr(5)) + 20;
  ASSERT_LT(last, steps);
  for (const std::string& output : {run, whole}) {
    Process process(dir_, command(output, last), Process::Program::any);
    must(process.wait());
  }
  const std::string weights = read_file(run + "/model/model.safetensors");
  EXPECT_GT(weights.size(), 100000u);
  EXPECT_TRUE(weights == read_file(whole + "/model/model.safetensors"));
}

}  // namespace
}  // namespace fathom::test

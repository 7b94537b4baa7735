// Ranks whose disk takes longer than parallel.timeout_seconds: they resume, begin with another
// run's weights and write the finished model all the same, as threads and under mpirun. A rank
// that dies meanwhile still ends the job at once, and so does, after
// parallel.disk_timeout_seconds, one whose disk never answers.
#include <gmock/gmock.h>

#include <filesystem>

#include "cli/rank_processes.h"
#include "cli/tiny_run.h"

namespace fathom::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr const char* asan = "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0";
enum class Ranks { threads, mpi };

class SlowDisk : public testing::Test {
 protected:
  void SetUp() override {
    make_tiny_data(dir_);
    config_ = make_tiny_config(dir_, "[parallel]\ntimeout_seconds = 5\n");
    must(run_fathom(dir_, {"train", config_, "--ranks", "2", "--set", "train.steps=4", "--set",
                           "parallel.timeout_seconds=300"}));
  }
  static bool has_mpi() { return !std::string(FATHOM_MPIRUN).empty(); }

  // A training on two ranks whose disk is slow by the shim's rules.
  static std::vector<std::string> words(Ranks ranks, const std::string& config,
                                        const std::vector<std::string>& settings,
                                        const std::string& slow) {
    const std::vector<std::string> variables{"LD_PRELOAD=" FATHOM_FAULT_SHIM, "FATHOM_SLOW=" + slow,
                                             asan};
    std::vector<std::string> words{"/usr/bin/env"};
    if (ranks == Ranks::mpi) {
      words = {FATHOM_MPIRUN, "-n", "2", "--oversubscribe", "--allow-run-as-root"};
    }
    for (const std::string& variable : variables) {
      if (ranks == Ranks::mpi) words.emplace_back("-x");
      words.push_back(variable);
    }
    words.insert(words.end(), {FATHOM_BINARY, "train", config, "--set", "threads=2"});
    if (ranks == Ranks::threads) words.insert(words.end(), {"--ranks", "2"});
    for (const std::string& setting : settings) words.insert(words.end(), {"--set", setting});
    return words;
  }

  // A training under way in a directory of its own.
  struct Job {
    std::string run;
    std::unique_ptr<Process> process;
    std::string err() const { return read_file(run + ".err"); }
  };
  Job start(Ranks ranks, const std::string& name, std::vector<std::string> settings,
            const std::string& slow) const {
    Job job{dir_ / name, nullptr};
    settings.push_back("output=" + job.run);
    std::vector<std::string> shell{"/bin/sh", "-c", "exec \"$@\" 2> \"$0\"", job.run + ".err"};
    for (std::string& word : words(ranks, config_, settings, slow)) {
      shell.push_back(std::move(word));
    }
    job.process = std::make_unique<Process>(dir_, shell, Process::Program::any);
    return job;
  }
  // Goes on with a copy of the run to its sixth step.
  Job go_on(Ranks ranks, const std::string& name, const std::string& slow) const {
    std::filesystem::copy(dir_ / "run", dir_ / name, std::filesystem::copy_options::recursive);
    return start(ranks, name, {"train.steps=6"}, slow);
  }

  TempDir dir_;
  std::string config_;
};

TEST_F(SlowDisk, RanksResumeAndBeginWithWeightsAndWriteTheModel) {
  const std::string slow_load = "open 8 step-00000004/weight.00001.safetensors";
  const std::string slow_all = slow_load + " fsync 8 model.safetensors.tmp-";
  // Beside each other: most of the time they wait.
  std::vector<Job> jobs;
  jobs.push_back(go_on(Ranks::threads, "threads", slow_all));
  if (has_mpi()) jobs.push_back(go_on(Ranks::mpi, "mpi", slow_all));
  const Job begins =
      start(Ranks::threads, "begins", {"train.steps=1", "init_from=" + (dir_ / "run")}, slow_load);
  for (const Job& job : jobs) {
    EXPECT_EQ(job.process->wait().code, 0) << job.err();
    EXPECT_THAT(job.err(), AllOf(HasSubstr("a slow open: "), HasSubstr("a slow fsync: "),
                                 HasSubstr("resuming"), HasSubstr(" of checkpoint in "),
                                 HasSubstr(" of model in ")));
  }
  EXPECT_EQ(begins.process->wait().code, 0) << begins.err();
  EXPECT_THAT(begins.err(), AllOf(HasSubstr("a slow open: "), HasSubstr("beginning with")));
}

// Files that the first rank alone writes, from the lock at the start to the page at the end, and
// a save beside the steps. One run for each: the others wait for it alone.
TEST_F(SlowDisk, RanksWaitForFilesOfOne) {
  const std::vector<std::pair<std::string, std::string>> slow_files{
      {"lock", "open 8 /lock/.lock"},
      {"config", "fsync 8 /config/config.toml"},
      {"metrics", "fsync 8 /metrics/metrics.jsonl"},
      {"page", "fsync 8 /page/report.html"},
      {"save", "fsync 8 /weight.00001.safetensors.tmp-"}};
  std::vector<Job> jobs;
  for (const auto& [name, slow] : slow_files) {
    jobs.push_back(start(Ranks::threads, name, {"train.steps=2"}, slow));
  }
  for (const Job& job : jobs) {
    EXPECT_EQ(job.process->wait().code, 0) << job.err();
    EXPECT_THAT(job.err(), AllOf(HasSubstr("a slow "), HasSubstr("the model is in "))) << job.run;
  }
}

// One call that never returns, in a load and in a save, where the other rank waits for it.
TEST_F(SlowDisk, ADiskThatHangsEndsTheJobWithItsName) {
  const std::string loading = "open 600 step-00000004/weight.00001.safetensors";
  const std::string saving = "fsync 600 /weight.00001.safetensors.tmp-";
  const std::vector<std::string> impatient{"train.steps=6", "parallel.disk_timeout_seconds=2"};
  const auto resume = [&](Ranks ranks, const std::string& name, const std::string& slow) {
    std::filesystem::copy(dir_ / "run", dir_ / name, std::filesystem::copy_options::recursive);
    return start(ranks, name, impatient, slow);
  };
  std::vector<Job> loads, saves;
  loads.push_back(resume(Ranks::threads, "load_threads", loading));
  saves.push_back(resume(Ranks::threads, "save_threads", saving));
  if (has_mpi()) loads.push_back(resume(Ranks::mpi, "load_mpi", loading));
  if (has_mpi()) saves.push_back(resume(Ranks::mpi, "save_mpi", saving));
  const auto expect_named = [&](const Job& job, const char* operation) {
    ASSERT_TRUE(within(60, [&] { return !job.process->running(); })) << job.err();
    EXPECT_NE(job.process->wait().code, 0);
    EXPECT_THAT(job.err(),
                AllOf(HasSubstr(operation), HasSubstr("weight.00001.safetensors"),
                      HasSubstr("has not ended for 2 s: its disk or file server hangs")));
    const bool mpi = job.run.ends_with("mpi");
    EXPECT_THAT(job.err(),
                HasSubstr(mpi ? "rank 1 (pp 0, dp 1, tp 0): " : "a rank of this process: "));
  };
  for (const Job& job : loads) expect_named(job, "opening ");
  for (const Job& job : saves) expect_named(job, "flushing ");
}

TEST_F(SlowDisk, ADeadRankEndsTheWaitForIt) {
  if (!has_mpi()) GTEST_SKIP() << "takes mpirun: a thread does not die alone";
  const Job job = go_on(Ranks::mpi, "mpi", "open 600 step-00000004/weight.00001.safetensors");
  ASSERT_TRUE(within(60, [&] { return job.err().find("a slow open: ") != std::string::npos; }))
      << job.err();
  const auto since = Clock::now();
  ::kill(pid_of(job.process->pid(), 1), SIGKILL);
  EXPECT_NE(job.process->wait().code, 0);
  EXPECT_LT(seconds_since(since), 30);
  EXPECT_THAT(job.err(), HasSubstr("rank 1 (pp 0, dp 1, tp 0): has died"));
}

}  // namespace
}  // namespace fathom::test

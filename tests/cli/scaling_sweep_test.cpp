// fathom scaling plan and run: a sweep that is killed, stopped or shared out ends with the very
// results of an undisturbed one.
#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/tiny_run.h"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Arguments = std::vector<std::string>;

class ScalingSweep : public testing::Test {
 protected:
  ScalingSweep() {
    make_tiny_data(dir_);
    write_file(dir_ / "sweep.toml",
               fmt::format("[isoflop]\nbudgets = [1.5e9, 3e9]\nmodel_flops = [3.2e5, 6.4e5]\n"
                           "learning_rate = 5e-3\nbatch = 2\n"
                           "[run]\ndtype = \"f32\"\n[run.data]\ndirectory = \"{}\"\n"
                           "[run.train]\nsequence_length = 32\n"
                           "[run.checkpoint]\ninterval_seconds = 0\nevery_steps = 10\n",
                           dir_ / "data"));
  }

  Outcome plan(const Arguments& more) {
    Arguments arguments{"scaling", "plan", dir_ / "sweep.toml", "--tflops", "1e-3"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_fathom(dir_, arguments);
  }
  // A sweep that is planned in dir/name.
  std::string planned(const std::string& name) {
    must(plan({"--out", dir_ / name}));
    return dir_ / name;
  }
  Arguments run_of(const std::string& sweep, const Arguments& more = {}) {
    Arguments arguments{"scaling", "run", sweep};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  // The results of the sweep that nothing disturbs, which is run once for all tests.
  const std::string& undisturbed() {
    static const std::string results = [this] {
      const std::string sweep = planned("undisturbed");
      must(run_fathom(dir_, run_of(sweep)));
      return read_file(sweep + "/results.jsonl");
    }();
    return results;
  }
  // Checkpoints and results, which grow while a sweep is run.
  static std::set<std::string> progress(const std::string& sweep) {
    std::set<std::string> names;
    std::error_code error;  // of files that go meanwhile
    for (auto it = fs::recursive_directory_iterator(sweep, error); it != fs::end(it);
         it.increment(error)) {
      const std::string path = it->path().string();
      const bool checkpoint = path.find("/checkpoints/step-") != path.npos;
      if (checkpoint || path.ends_with(".json")) names.insert(path);
    }
    return names;
  }
  // Starts or goes on with a sweep, until something of it has been saved.
  std::unique_ptr<Process> start(const std::string& sweep, const Arguments& more = {}) {
    const std::set<std::string> before = progress(sweep);
    auto process = std::make_unique<Process>(dir_, run_of(sweep, more));
    process->until([&] { return !std::ranges::includes(before, progress(sweep)); });
    return process;
  }

  TempDir dir_{"sweep"};
};

TEST_F(ScalingSweep, PlanTellsRunsFlopsAndTime) {
  const Outcome outcome = plan({"--jobs", "2"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, testing::AllOf(HasSubstr("4 runs, "), HasSubstr("2 branches of trunks"),
                                          HasSubstr("% less"), HasSubstr("2 runs at a time")));
  EXPECT_THAT(outcome.err, HasSubstr("fathom scaling run " + dir_ / "sweep"));
  EXPECT_EQ(progress(dir_ / "sweep").size(), 1u);  // plan.json; nothing has been trained
  const Outcome json = plan({"--json", "--out", dir_ / "json", "--set", "trunks=false"});
  EXPECT_EQ(nlohmann::json::parse(json.out).at("saving"), 0.0);
  EXPECT_GT(nlohmann::json::parse(json.out).at("seconds"), 0.0);
  const Outcome measured = run_fathom(dir_, {"scaling", "plan", dir_ / "sweep.toml"});
  EXPECT_EQ(measured.code, 0) << measured.err;
  EXPECT_THAT(measured.out, HasSubstr("by 2 short runs, each alone on cpu"));
  EXPECT_EQ(progress(dir_ / "sweep").size(), 1u);
}

TEST_F(ScalingSweep, PlanRefusesWhatItCannotPlan) {
  EXPECT_THAT(plan({"--set", "isoflop.budgets=[1e3]"}).err, HasSubstr("fewer than 10 steps"));
  EXPECT_THAT(plan({"--set", "run.data.directory=nowhere"}).err, HasSubstr("nowhere"));
  EXPECT_EQ(plan({"--set", "run.train.tokens=3"}).code, 2);
  EXPECT_EQ(run_fathom(dir_, {"scaling", "plan"}).code, 2);
  EXPECT_EQ(run_fathom(dir_, {"scaling", "run", dir_ / "nowhere"}).code, 2);
  const std::string sweep = planned("parts");
  for (const char* part : {"0/2", "3/2", "2", "1/", "/2", "1/2x"}) {
    const Outcome outcome = run_fathom(dir_, run_of(sweep, {"--part", part}));
    EXPECT_EQ(outcome.code, 2) << part;
    EXPECT_THAT(outcome.err, HasSubstr("use I/N with I from 1 to N"));
  }
}

TEST_F(ScalingSweep, KilledAtAnyMomentItEndsTheSame) {
  const std::string expected = undisturbed();
  EXPECT_EQ(std::ranges::count(expected, '\n'), 4);
  const std::string sweep = planned("killed");
  for (int kill = 0; kill < 3; ++kill) {
    const auto process = start(sweep, {"--jobs", "2"});
    std::this_thread::sleep_for(std::chrono::milliseconds(7 * kill));
    process->send(SIGKILL);
    process->wait();
  }
  must(run_fathom(dir_, run_of(sweep, {"--jobs", "2"})));
  EXPECT_EQ(read_file(sweep + "/results.jsonl"), expected);
}

TEST_F(ScalingSweep, ASignalStopsAllRunsAtCheckpoints) {
  const std::string expected = undisturbed();
  const std::string sweep = planned("stopped");
  const auto process = start(sweep, {"--jobs", "2"});
  process->send(SIGINT);
  EXPECT_EQ(process->wait().code, 128 + SIGINT);
  const Outcome rest = run_fathom(dir_, run_of(sweep, {"--jobs", "2"}));
  EXPECT_EQ(rest.code, 0) << rest.err;
  EXPECT_THAT(rest.err, HasSubstr("4 runs, 2 at a time; trunks save"));
  EXPECT_EQ(read_file(sweep + "/results.jsonl"), expected);
}

// As a Slurm array does.
TEST_F(ScalingSweep, PartsAtTheSameTimeMakeOneResultsFile) {
  const std::string expected = undisturbed();
  const std::string sweep = planned("parts");
  const TempDir other("part");
  Process first(dir_, run_of(sweep, {"--part", "1/2"}));
  Process second(other, run_of(sweep, {"--part", "2/2"}));
  EXPECT_EQ(first.wait().code, 0);
  EXPECT_EQ(second.wait().code, 0);
  EXPECT_EQ(read_file(sweep + "/results.jsonl"), expected);
}

TEST_F(ScalingSweep, AFailedRunEndsWithAnError) {
  const std::string sweep = planned("failed");
  const auto json = nlohmann::json::parse(read_file(sweep + "/plan.json"));
  const std::string name = json.at("runs").at(3).at("name");
  fs::create_directories(sweep + "/runs");
  write_file(sweep + "/runs/" + name, "in the way");
  const Outcome outcome = run_fathom(dir_, run_of(sweep));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, testing::AllOf(HasSubstr(name + ": failed: "),
                                          HasSubstr("2 runs failed, see " + sweep + "/logs")));
}

}  // namespace
}  // namespace fathom::test

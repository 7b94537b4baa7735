// The stages of data on many processes, under mpirun and as processes that only share a folder: the
// bytes of one process, kills, and errors.
#include <gmock/gmock.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/rank_processes.h"
#include "cli/tiny_run.h"
#include "core/philox.h"
#include "io/checksum.h"
#include "io/file_lock.h"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Arguments = std::vector<std::string>;

constexpr int text_files = 6;

class DataRanks : public testing::Test {
 protected:
  void SetUp() override {
    for (int file = 0; file < text_files; ++file) write_text(file);
    const std::string sources =
        fmt::format("[[sources]]\nname = \"web\"\npaths = [\"{}\"]\n", dir_ / "text");
    const std::string filters = "filters]]\nrule = \"words\"\nmin = 20\n";
    write_file(dir_ / "clean.toml", "part_mb = 1\n" + sources + "[[" + filters);
    write_file(dir_ / "dedup.toml", "part_mb = 1\n" + sources);
    write_file(dir_ / "chain.toml", sources + "[clean]\npart_mb = 1\n[[clean." + filters +
                                        "[dedup]\npart_mb = 1\n[tokenizer]\nvocab_size = 300\n"
                                        "[prepare]\nheld_out_fraction = 0.1\n");
  }

  // fathom with these arguments, whose output goes to files of its own.
  std::unique_ptr<Process> beside(int number, const Arguments& words) const {
    Arguments command{
        "/bin/sh", "-c",
        fmt::format("exec \"$0\" \"$@\" >'{0}.out' 2>'{0}.err'", dir_ / std::to_string(number)),
        FATHOM_BINARY};
    command.insert(command.end(), words.begin(), words.end());
    return std::make_unique<Process>(dir_, command, Process::Program::any);
  }
  // A little over a megabyte, which makes a part; one document in nine is a copy.
  void write_text(int file) {
    static const char* const list[] = {"the", "river", "runs", "to", "a", "quiet", "sea", "and"};
    std::string rows;
    for (std::uint64_t n = 0; rows.size() < 1'100'000; ++n) {
      const Philox random{n % 9 == 8 ? n : 100'000u * static_cast<std::uint64_t>(file) + n, 7};
      std::string text;
      for (std::uint64_t i = 0; i < (n % 7 == 6 ? 9u : 200u); ++i) {
        text += fmt::format("{}{} ", list[random.bits(i) % 8], random.bits(i + 1000) % 100);
      }
      rows += nlohmann::json{{"text", text}}.dump() + "\n";
    }
    write_file(text_file(file), rows);
  }
  std::string text_file(int file) const { return dir_ / fmt::format("text/f{}.jsonl", file); }

  Arguments stage(const std::string& name, const std::string& output, Arguments more = {}) const {
    Arguments words{"data", name, dir_ / ((name == "run" ? "chain" : name) + ".toml"), "--set",
                    "output=" + (dir_ / output)};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  // Of so many ranks.
  Arguments ranks(int number, const Arguments& words) const {
    Arguments command{FATHOM_MPIRUN,
                      "-n",
                      std::to_string(number),
                      "--oversubscribe",
                      "--allow-run-as-root",
                      "--mca",  // or another test's mpirun may be removing the folder that this one begins to use
                      "orte_tmpdir_base",
                      dir_.path(),
                      "-x",
                      "ASAN_OPTIONS=detect_leaks=0",
                      FATHOM_BINARY};
    command.insert(command.end(), words.begin(), words.end());
    return command;
  }
  Outcome run_ranks(int number, const Arguments& words) const {
    return Process(dir_, ranks(number, words), Process::Program::any).wait();
  }

  // Checksums of all files, but for locks and times.
  std::map<std::string, std::uint64_t> files_of(const std::string& output) const {
    std::map<std::string, std::uint64_t> files;
    for (const auto& entry : fs::recursive_directory_iterator(dir_ / output)) {
      const std::string name = entry.path().lexically_relative(dir_ / output);
      const bool left_out = name.ends_with(".lock") || name.ends_with(".stage.json") ||
                            name.find(".claims/") != std::string::npos;
      if (entry.is_regular_file() && !left_out) files[name] = checksum_of_file(entry.path());
    }
    return files;
  }
  bool has(const std::string& path) const { return fs::exists(dir_ / path); }

  TempDir dir_;
};

class DataMpiRanks : public DataRanks {
 protected:
  void SetUp() override {
    if (std::string(FATHOM_MPIRUN).empty()) GTEST_SKIP() << "takes mpirun";
    DataRanks::SetUp();
  }
};

// Into the same folder each time: lists of copies name files in it.
TEST_F(DataMpiRanks, WriteTheBytesOfOneProcess) {
  for (const std::string name : {"clean", "dedup", "run"}) {
    const Outcome one = run_fathom(dir_, stage(name, "out"));
    must(one);
    const auto files = files_of("out");
    for (const int number : {2, 4}) {
      fs::remove_all(dir_ / "out");
      const Outcome many = run_ranks(number, stage(name, "out"));
      must(many);
      EXPECT_TRUE(files_of("out") == files) << name << " on " << number;
      // `run` has a column of times.
      EXPECT_TRUE(name == "run" || many.out == one.out) << name << " on " << number;
    }
    fs::remove_all(dir_ / "out");
  }
}

TEST_F(DataMpiRanks, GoOnWhereARankWasKilled) {
  must(run_fathom(dir_, stage("run", "out")));
  const auto files = files_of("out");
  fs::remove_all(dir_ / "out");
  for (const auto& [rank, moment] : {std::pair{1, "out/clean/parts/web-00001.json"},
                                     std::pair{0, "out/clean/parts/web-00003.json"},
                                     std::pair{1, "out/dedup/index/segments/web-00000"}}) {
    Process process(dir_, ranks(2, stage("run", "out")), Process::Program::any);
    pid_t victim = 0;
    ASSERT_TRUE(process.until([&] {
      return has(moment) && (victim = pid_of(process.pid(), rank)) > 0;
    })) << moment
        << process.wait().err;
    ::kill(victim, SIGKILL);
    EXPECT_NE(process.wait().code, 0) << moment;
  }
  must(run_ranks(2, stage("run", "out")));
  EXPECT_TRUE(files_of("out") == files);
}

// Every rank would meet the first, one rank alone meets the second.
TEST_F(DataMpiRanks, TellAnErrorOnce) {
  const auto errors = [](const std::string& err) {
    std::vector<std::string> found;
    for (const std::string& line : lines_of(err)) {
      // A rank may see another end before mpirun ends it, too.
      if (line.starts_with("error: ") && !line.ends_with("ended without a word")) found.push_back(line);
    }
    return found;
  };
  const Outcome config = run_ranks(4, stage("clean", "out", {"--set", "samples=-1"}));
  EXPECT_EQ(config.code, 2) << config.err;
  EXPECT_THAT(errors(config.err),
              testing::ElementsAre("error: rank 0: samples: -1 is not in [0, 10000]"));
  std::string rows = read_file(text_file(text_files - 1));
  write_file(text_file(text_files - 1), rows.insert(rows.size() / 2, "\n{\"text\": \n"));
  for (const char* name : {"clean", "dedup", "run"}) {
    const Outcome outcome = run_ranks(3, stage(name, name));
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    const auto found = errors(outcome.err);
    ASSERT_EQ(found.size(), 1u) << outcome.err;
    EXPECT_THAT(found[0], HasSubstr("f5.jsonl:")) << name;
    EXPECT_EQ(outcome.out, "") << name;
  }
}

TEST_F(DataMpiRanks, RefuseAFlagOfOthers) {
  for (const char* name : {"clean", "dedup"}) {
    const Outcome outcome = run_ranks(2, stage(name, "out", {"--shared"}));
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr("under mpirun or srun leave it out"));
  }
}

// What rank 0 does alone would be done by both.
TEST_F(DataMpiRanks, RefuseADedupThatAnotherJobWorksOn) {
  for (const std::string folder : {"out", "out/index"}) {
    fs::create_directories(dir_ / (folder + "/.claims"));
    const auto claim = FileLock::try_take(dir_ / (folder + "/.claims/rest"));
    const Outcome outcome = run_ranks(2, stage("dedup", "out"));
    EXPECT_EQ(outcome.code, 2) << folder;
    EXPECT_THAT(outcome.err, HasSubstr(fmt::format("{}: process {} on", dir_ / folder, getpid())));
    EXPECT_THAT(outcome.err, HasSubstr("works on this, too"));
  }
  must(run_ranks(2, stage("dedup", "out")));
}

TEST_F(DataMpiRanks, MayHaveTheirThreadsFromTheEnvironmentOfSome) {
  Arguments command = ranks(1, stage("clean", "out"));
  const Arguments other = ranks(1, stage("clean", "out"));
  command.insert(command.end(), {":", "-n", "1", "-x", "OMP_NUM_THREADS=1"});
  command.insert(command.end(), std::ranges::find(other, FATHOM_BINARY), other.end());
  must(Process(dir_, command, Process::Program::any).wait());
}

TEST_F(DataMpiRanks, DoOnceWhatIsNotShared) {
  for (const Arguments& words : {Arguments{"data", "stats", dir_ / "text"}, Arguments{"data", "sample", dir_ / "text"}}) {
    const Outcome one = run_fathom(dir_, words), many = run_ranks(2, words);
    must(many);
    EXPECT_EQ(many.out, one.out) << words[1];
  }
  must(run_ranks(2, {"tokenizer", "train", dir_ / "text", "--vocab-size", "300", "--out", dir_ / "t.json"}));
}

// Else an array of them would end at once, with nothing done.
TEST_F(DataRanks, ADryRunIsNotShared) {
  EXPECT_NE(run_fathom(dir_, stage("clean", "out", {"--shared", "--dry-run", "5"})).code, 0);
}

// Without a launcher: a process that is killed leaves its part to the others.
TEST_F(DataRanks, ProcessesShareAFolder) {
  const Outcome one = run_fathom(dir_, stage("clean", "one"));
  must(one);
  std::vector<std::unique_ptr<Process>> processes;
  for (int i = 0; i < 3; ++i)
    processes.push_back(beside(i, stage("clean", "shared", {"--shared"})));
  ASSERT_TRUE(processes[0]->until([&] { return has("shared/parts/web-00000.json"); }));
  processes[0]->send(SIGKILL);
  for (const int i : {1, 2}) {
    EXPECT_EQ(processes[static_cast<std::size_t>(i)]->wait().code, 0);
    EXPECT_EQ(read_file(dir_ / fmt::format("{}.out", i)), one.out);
  }
  EXPECT_TRUE(files_of("shared") == files_of("one"));
  must(run_fathom(dir_, stage("clean", "shared")));
}

TEST_F(DataRanks, ProcessesShareAnIndex) {
  const Outcome one = run_fathom(dir_, stage("dedup", "one"));
  must(one);
  std::vector<std::unique_ptr<Process>> processes;
  for (int i = 0; i < 2; ++i)
    processes.push_back(beside(i, stage("dedup", "shared", {"--shared"})));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(processes[static_cast<std::size_t>(i)]->wait().code, 0);
    EXPECT_EQ(read_file(dir_ / fmt::format("{}.out", i)), "");
    EXPECT_THAT(read_file(dir_ / fmt::format("{}.err", i)), HasSubstr("without --shared does the rest"));
  }
  EXPECT_FALSE(has("shared/dedup.json"));
  const Outcome rest = run_fathom(dir_, stage("dedup", "shared"));
  must(rest);
  EXPECT_EQ(rest.out, one.out);
  EXPECT_TRUE(files_of("shared") == files_of("one"));
}

}  // namespace
}  // namespace fathom::test

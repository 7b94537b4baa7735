#include "ops/algorithm_file.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

namespace fathom::ops {
namespace {

namespace fs = std::filesystem;
using testing::Optional;

class AlgorithmFiles : public testing::Test {
 protected:
  AlgorithmFiles() { fs::create_directories(folder_); }
  ~AlgorithmFiles() override { fs::remove_all(folder_); }

  std::string content() const {
    std::ostringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }
  void put(const std::string& text) const { std::ofstream(path_, std::ios::trunc) << text; }
  // Besides the file and its lock nothing stays.
  void expect_no_rest() const {
    for (const auto& entry : fs::directory_iterator(folder_)) {
      EXPECT_THAT(entry.path().filename(), testing::AnyOf("choices.txt", "choices.txt.lock"));
    }
  }

  const fs::path folder_ =
      fs::path(testing::TempDir()) / ("algorithm-file-" + std::to_string(getpid()));
  const std::string path_ = folder_ / "choices.txt";
};

TEST_F(AlgorithmFiles, TheFirstChoiceIsEverybodys) {
  AlgorithmFile one(path_), other(path_);
  EXPECT_EQ(one.find("4x4x4"), std::nullopt);
  EXPECT_EQ(one.remember("4x4x4", "aa"), "aa");
  EXPECT_EQ(one.remember("4x4x4", "bb"), "aa");
  EXPECT_EQ(other.remember("4x4x4", "cc"), "aa");  // of another process, say
  EXPECT_EQ(other.remember("8x8x8", "dd"), "dd");
  AlgorithmFile later(path_);
  EXPECT_THAT(later.find("4x4x4"), Optional(std::string("aa")));
  EXPECT_THAT(later.find("8x8x8"), Optional(std::string("dd")));
  expect_no_rest();
}

// Of two lines of a key the first counts, and before both what this process uses already.
TEST_F(AlgorithmFiles, TheFirstLineOfAKeyCounts) {
  const std::string first = algorithm_line("a", "11") + "\n";
  put(first + algorithm_line("a", "22") + "\n");
  AlgorithmFile file(path_);
  EXPECT_THAT(file.find("a"), Optional(std::string("11")));
  EXPECT_EQ(file.remember("a", "33"), "11");
  // Another process has replaced the file meanwhile; this one goes on as it began.
  put(algorithm_line("a", "22") + "\n" + algorithm_line("b", "44") + "\n");
  EXPECT_EQ(file.remember("b", "55"), "44");
  EXPECT_EQ(file.remember("c", "66"), "66");
  EXPECT_THAT(file.find("a"), Optional(std::string("11")));
  EXPECT_EQ(content(), first + algorithm_line("b", "44") + "\n" + algorithm_line("c", "66") + "\n");
}

TEST_F(AlgorithmFiles, AllWhoChooseAtTheSameTimeTakeOneChoice) {
  std::vector<std::string> taken(8);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < taken.size(); ++i) {
    threads.emplace_back([&, i] {
      AlgorithmFile file(path_);
      taken[i] = file.remember("shape", std::to_string(i));
      file.remember("own" + std::to_string(i), "x");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(taken, testing::Each(taken[0]));
  AlgorithmFile later(path_);
  for (std::size_t i = 0; i < taken.size(); ++i) {
    EXPECT_TRUE(later.find("own" + std::to_string(i))) << i;
  }
}

TEST_F(AlgorithmFiles, ALineThatIsCutShortCostsItselfAlone) {
  const std::string a = algorithm_line("a", "11"), b = algorithm_line("b", "22"),
                    c = algorithm_line("c", "33");
  for (std::size_t kept = 0; kept < b.size(); ++kept) {
    put(a + "\n" + b.substr(0, kept) + "\n" + c + "\n");
    AlgorithmFile file(path_);
    EXPECT_THAT(file.find("a"), Optional(std::string("11")));
    EXPECT_EQ(file.find("b"), std::nullopt) << kept;
    EXPECT_THAT(file.find("c"), Optional(std::string("33")));
  }
  // The last line, without its end; and what remembers next mends the file.
  put(a + "\n" + c.substr(0, 3));
  EXPECT_EQ(AlgorithmFile(path_).remember("b", "44"), "44");
  EXPECT_EQ(content(), a + "\n" + algorithm_line("b", "44") + "\n");
}

TEST_F(AlgorithmFiles, ADamagedLineCountsAsAbsent) {
  const std::string line = algorithm_line("a", "11");
  for (std::size_t i = 0; i < line.size(); ++i) {
    std::string damaged = line;
    damaged[i] = damaged[i] == '7' ? '8' : '7';
    EXPECT_EQ(parse_algorithm_line(damaged), std::nullopt) << damaged;
  }
  EXPECT_EQ(parse_algorithm_line(line + " "), std::nullopt);
  EXPECT_EQ(parse_algorithm_line(""), std::nullopt);
  EXPECT_EQ(parse_algorithm_line("a 11"), std::nullopt);
  EXPECT_THAT(parse_algorithm_line(line), Optional(testing::Pair("a", "11")));
}

TEST_F(AlgorithmFiles, AFullDiskLeavesTheFileBefore) {
  AlgorithmFile(path_).remember("a", "11");
  const std::string before = content();
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit less{before.size() + 10, limit.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &less);
  AlgorithmFile file(path_);
  EXPECT_EQ(file.remember("b", "22"), "22");
  setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(file.find("b"), Optional(std::string("22")));  // in memory
  EXPECT_EQ(content(), before);
  expect_no_rest();
}

TEST_F(AlgorithmFiles, WithoutAFileChoicesStayInMemory) {
  for (const std::string& path : {std::string(), (folder_ / "absent" / "file").string()}) {
    AlgorithmFile file(path);
    EXPECT_EQ(file.remember("a", "11"), "11");
    EXPECT_THAT(file.find("a"), Optional(std::string("11")));
  }
}

TEST_F(AlgorithmFiles, ARefusedValueIsReplaced) {
  AlgorithmFile(path_).remember("a", "bad");
  AlgorithmFile file(path_);
  file.refuse("a", "another");
  EXPECT_THAT(file.find("a"), Optional(std::string("bad")));
  file.refuse("a", "bad");
  EXPECT_EQ(file.find("a"), std::nullopt);
  EXPECT_EQ(file.remember("a", "good"), "good");
  EXPECT_THAT(AlgorithmFile(path_).find("a"), Optional(std::string("good")));
}

}  // namespace
}  // namespace fathom::ops

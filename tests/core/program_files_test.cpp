// Files that come with the program, as a copy of this one finds them beside itself.
#include "core/program_files.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "core/child_test.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using test::TempDir;

TEST(ProgramFilesChild, DISABLED_TellsWhatItFinds) {
  for (const char* path : {"configs/a.toml", "./configs/a.toml", "a.toml", "configs/absent.toml"}) {
    std::fprintf(stderr, "%s\n", find_program_file(path).c_str());
  }
  std::fprintf(stderr, "%s\n", program_folder().c_str());
}

// A program in install/bin of a directory, and a user's folder in which it runs.
class ProgramFiles : public testing::Test {
 protected:
  ProgramFiles() {
    fs::create_directories(folder());
    fs::create_directories(users());
    fs::copy_file("/proc/self/exe", folder() / "program");
  }
  fs::path folder() const { return fs::canonical(dir_.path()) / "root/install/bin"; }
  fs::path users() const { return dir_ / "user"; }
  void put(const fs::path& path) const { test::write_file(path, ""); }

  // The lines of the child test.
  std::vector<std::string> found() const {
    int ends[2] = {-1, -1};
    EXPECT_EQ(pipe(ends), 0);
    const std::string program = folder() / "program", user = users();
    const pid_t child = fork();
    if (child == 0) {
      dup2(ends[1], STDERR_FILENO);
      for (const char* const name : {"GTEST_OUTPUT", "GTEST_TOTAL_SHARDS"}) unsetenv(name);
      if (chdir(user.c_str()) != 0 || !std::freopen("/dev/null", "w", stdout)) _exit(1);
      execl(program.c_str(), "program", "--gtest_filter=ProgramFilesChild.*",
            "--gtest_also_run_disabled_tests", nullptr);
      _exit(1);
    }
    int status = -1;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    std::istringstream text(test::read_available(ends[0]));
    close(ends[0]);
    close(ends[1]);
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    lines.resize(5);
    return lines;
  }

 private:
  TempDir dir_;
};

// From the last place to the first: each new file goes before those that were found so far.
TEST_F(ProgramFiles, AreTheUsersOwnAndThenThoseNearestTheProgram) {
  const std::string path = "configs/a.toml";
  EXPECT_EQ(found()[0], path) << "what is nowhere keeps its name, for the error";
  const fs::path install = folder().parent_path(), root = install.parent_path();
  for (const fs::path& place : {root, install, install / "share/fathom", folder()}) {
    put(place / path);
    EXPECT_EQ(found()[0], (place / path).string());
  }
  put(users() / path);
  EXPECT_EQ(found()[0], path);
}

TEST_F(ProgramFiles, AreThoseOfPathsInConfigsAlone) {
  for (const char* path : {"configs/a.toml", "a.toml"}) put(folder() / path);
  const std::vector<std::string> lines = found();
  EXPECT_EQ(lines[0], (folder() / "configs/a.toml").string());
  EXPECT_EQ(lines[1], "./configs/a.toml");
  EXPECT_EQ(lines[2], "a.toml");
  EXPECT_EQ(lines[3], "configs/absent.toml");
  EXPECT_EQ(lines[4], folder().string());
}

}  // namespace
}  // namespace fathom

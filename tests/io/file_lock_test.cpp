#include "io/file_lock.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::input_error_of;
using test::TempDir;
using testing::HasSubstr;
using testing::StartsWith;

TEST(DirectoryLock, SecondHolderLearnsWhoTheFirstIs) {
  const TempDir dir;
  const std::string out = dir / "run";
  {
    const DirectoryLock lock(out);
    const std::string error = input_error_of([&] { DirectoryLock second(out); });
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    EXPECT_THAT(error, StartsWith(fmt::format("{}: this directory is in use by process {} on {};",
                                              out, getpid(), host)));
  }
  const DirectoryLock again(out);  // released by the destructor
}

TEST(DirectoryLock, EndsWithItsProcess) {
  const TempDir dir;
  const pid_t child = fork();
  if (child == 0) {
    new DirectoryLock(dir.path());  // killed without a destructor
    kill(getpid(), SIGKILL);
  }
  waitpid(child, nullptr, 0);
  const DirectoryLock lock(dir.path());
}

TEST(FileLock, IsTakenByOneAtATime) {
  const TempDir dir;
  const std::string path = dir / "part";
  {
    const auto lock = FileLock::try_take(path);
    ASSERT_TRUE(lock.has_value());
    EXPECT_FALSE(FileLock::try_take(path).has_value());
    EXPECT_FALSE(FileLock::try_take(path, LockUse::shared).has_value());
    EXPECT_THAT(FileLock::holder_of(path), StartsWith(fmt::format("process {} on ", getpid())));
  }
  EXPECT_TRUE(FileLock::try_take(path).has_value());
  EXPECT_EQ(FileLock::holder_of(dir / "none"), "another process");
}

TEST(FileLock, SharedOnesKeepOthersOut) {
  const TempDir dir;
  {
    const DirectoryLock first(dir.path(), LockUse::shared), second(dir.path(), LockUse::shared);
    EXPECT_THAT(input_error_of([&] { DirectoryLock alone(dir.path()); }),
                HasSubstr("is in use by process"));
  }
  const DirectoryLock alone(dir.path());
  EXPECT_THAT(input_error_of([&] { DirectoryLock(dir.path(), LockUse::shared); }),
              HasSubstr("is in use by process"));
}

std::string this_process() {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  return fmt::format("process {} on {}", getpid(), host);
}

// The name of the last holder, whatever longer or shorter one was there before.
TEST(FileLock, NamesItsLastHolderAlone) {
  const TempDir dir;
  const std::string path = dir / "part", sharing = this_process() + ", or others that share it";
  for (const bool shared : {true, false, true}) {
    ASSERT_TRUE(FileLock::try_take(path, shared ? LockUse::shared : LockUse::alone).has_value());
    EXPECT_EQ(FileLock::holder_of(path), shared ? sharing : this_process());
  }
  test::write_file(path, std::string(400, 'x'));
  ASSERT_TRUE(FileLock::try_take(path).has_value());
  EXPECT_EQ(FileLock::holder_of(path), this_process());
  test::write_file(path, "");
  EXPECT_EQ(FileLock::holder_of(path), "another process");
}

TEST(FileLock, IsHeldByWhatItWasMovedTo) {
  const TempDir dir;
  std::optional<FileLock> moved;
  {
    auto lock = FileLock::try_take(dir / "part");
    ASSERT_TRUE(lock.has_value());
    moved.emplace(std::move(*lock));
  }
  EXPECT_FALSE(FileLock::try_take(dir / "part").has_value());
  moved.reset();
  EXPECT_TRUE(FileLock::try_take(dir / "part").has_value());
}

TEST(DirectoryLock, ErrorsSayWhoHoldsItAndWhatToDo) {
  const TempDir dir;
  const DirectoryLock lock(dir / "run/deep", LockUse::shared);
  EXPECT_EQ(
      input_error_of([&] { DirectoryLock second(dir / "run/deep"); }),
      (dir / "run/deep") + ": this directory is in use by " + this_process() +
          ", or others that share it; wait for it to end, stop it, or choose another directory");
  test::write_file(dir / "file", "x");
  EXPECT_EQ(input_error_of([&] { DirectoryLock below(dir / "file/run"); }),
            (dir / "file/run") + ": cannot create this directory: Not a directory");
  EXPECT_EQ(input_error_of([&] { FileLock::try_take(dir / "none/part"); }),
            (dir / "none/part") + ": cannot write here: No such file or directory");
}

}  // namespace
}  // namespace fathom

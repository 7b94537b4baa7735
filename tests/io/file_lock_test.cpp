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

}  // namespace
}  // namespace fathom

// Parts that processes share. A thread's locks keep other threads out as those of a process would.
#include "data/sharing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/error.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using test::TempDir;
using test::write_file;

constexpr std::size_t shared_parts = 6;

// Parts that are files of dir/made; counts who made and found what.
struct FileParts {
  explicit FileParts(const TempDir& directory) : dir(directory.path()) {
    fs::create_directories(dir + "/made");
  }
  std::string path(std::size_t i) const { return dir + "/made/part" + std::to_string(i); }
  PartWork work() {
    return {shared_parts, [](std::size_t i) { return "part" + std::to_string(i); },
            [this](std::size_t i) { return fs::exists(path(i)); },
            [this](std::size_t i) {
              ++made[i];
              if (before_made) before_made(i);
              write_file(path(i), "x");
            },
            [this](std::size_t) { ++found; }};
  }
  void run(Role role) { make_parts(work(), dir, dir + "/made", role); }

  std::string dir;
  std::function<void(std::size_t)> before_made;
  std::array<std::atomic<int>, shared_parts> made{};
  std::atomic<int> found = 0;
};

TEST(PartSharing, AloneLeavesNoLocks) {
  const TempDir dir;
  FileParts parts(dir);
  write_file(parts.path(2), "x");
  parts.run(Role::alone);
  EXPECT_EQ(parts.found, 1);
  for (std::size_t i = 0; i < shared_parts; ++i) EXPECT_EQ(parts.made[i], i == 2 ? 0 : 1);
  EXPECT_FALSE(fs::exists(parts.dir + "/.claims"));
}

TEST(PartSharing, EachPartIsMadeOnce) {
  const TempDir dir;
  FileParts parts(dir);
  parts.before_made = [](std::size_t) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  };
  std::vector<std::thread> others;
  for (int i = 0; i < 4; ++i) {
    others.emplace_back([&, i] { parts.run(i % 2 == 0 ? Role::member : Role::helper); });
  }
  for (std::thread& other : others) other.join();
  for (std::size_t i = 0; i < shared_parts; ++i) EXPECT_EQ(parts.made[i], 1) << i;
  EXPECT_EQ(parts.found, 3 * static_cast<int>(shared_parts));  // by all but who made it
  EXPECT_EQ(std::distance(fs::directory_iterator(parts.dir + "/made"), fs::directory_iterator()),
            static_cast<std::ptrdiff_t>(shared_parts));  // and nothing else is left there
}

TEST(PartSharing, APartOfAKilledProcessIsMadeAgain) {
  const TempDir dir;
  FileParts parts(dir);
  const pid_t child = fork();
  if (child == 0) {
    parts.before_made = [&](std::size_t i) {
      if (i == 1) kill(getpid(), SIGKILL);
    };
    parts.run(Role::member);
  }
  waitpid(child, nullptr, 0);
  parts.run(Role::member);
  EXPECT_EQ(parts.made[0], 0);
  for (std::size_t i = 1; i < shared_parts; ++i) EXPECT_EQ(parts.made[i], 1) << i;
}

TEST(PartSharing, WaitsForAPartAndTakesItOverWhenItsMakerEnds) {
  const TempDir dir;
  FileParts parts(dir);
  const pid_t child = fork();
  if (child == 0) {
    parts.before_made = [&](std::size_t) { pause(); };
    parts.run(Role::member);
  }
  while (FileLock::holder_of(dir / ".claims/part0") == "another process") {  // no name in it yet
    std::this_thread::yield();
  }
  std::vector<std::size_t> order;
  parts.before_made = [&](std::size_t i) {
    order.push_back(i);
    if (order.size() == shared_parts - 1) kill(child, SIGKILL);
  };
  parts.run(Role::member);
  waitpid(child, nullptr, 0);
  EXPECT_THAT(order, testing::ElementsAre(1, 2, 3, 4, 5, 0));
}

// Else every rank would fail by it.
TEST(PartSharing, APartThatFailedIsNotTriedByOthers) {
  const TempDir dir;
  FileParts parts(dir);
  parts.before_made = [](std::size_t) { throw std::runtime_error("broken"); };
  EXPECT_THROW(parts.run(Role::member), std::runtime_error);
  EXPECT_FALSE(FileLock::try_take(dir / ".claims/part0").has_value());
  EXPECT_TRUE(FileLock::try_take(dir / ".claims/part1").has_value());
}

// Between the look for it and the lock.
TEST(PartSharing, APartThatWasMadeMeanwhileIsNotMadeAgain) {
  const TempDir dir;
  int looks = 0, found = 0;
  const PartWork work{
      1, [](std::size_t) { return "part"; }, [&](std::size_t) { return looks++ > 0; },
      [](std::size_t) { ADD_FAILURE() << "made again"; }, [&](std::size_t) { ++found; }};
  make_parts(work, dir.path(), dir.path(), Role::member);
  EXPECT_EQ(found, 1);
}

TEST(PartSharing, TheRestIsOneMembers) {
  const TempDir dir;
  {
    const auto claim = claim_rest(dir.path(), Role::member);
    EXPECT_TRUE(claim.has_value());
    EXPECT_THROW(claim_rest(dir.path(), Role::member), Error);
    EXPECT_FALSE(claim_rest(dir.path(), Role::helper).has_value());
    EXPECT_FALSE(claim_rest(dir.path(), Role::alone).has_value());
  }
  EXPECT_TRUE(claim_rest(dir.path(), Role::member).has_value());
}

TEST(PartSharing, ErrorsSayWhoHasTheRest) {
  const TempDir dir;
  const auto claim = claim_rest(dir.path(), Role::member);
  EXPECT_EQ(test::input_error_of([&] { claim_rest(dir.path(), Role::member); }),
            dir.path() + ": " + FileLock::holder_of(dir / ".claims/rest") +
                " works on this, too; wait for it to end, stop it, or choose another directory");
  EXPECT_EQ(claim_file("a/b"), ".claims/a/b");
  EXPECT_TRUE(wait_for_claim(dir.path(), "a/b", Role::helper).has_value());
  EXPECT_TRUE(fs::exists(dir / ".claims/a/b"));
  write_file(dir / "file", "x");
  EXPECT_EQ(test::input_error_of([&] { claim_rest(dir / "file", Role::member); }),
            (dir / "file/.claims") + ": cannot create this directory: Not a directory");
  EXPECT_EQ(lock_use(Role::alone), LockUse::alone);
  EXPECT_EQ(lock_use(Role::member), LockUse::shared);
  EXPECT_EQ(lock_use(Role::helper), LockUse::shared);
}

TEST(PartSharing, AClaimIsWaitedFor) {
  const TempDir dir;
  EXPECT_FALSE(wait_for_claim(dir.path(), "rest", Role::alone).has_value());
  std::atomic<bool> has = false;
  std::thread other;
  {
    const auto claim = wait_for_claim(dir.path(), "rest", Role::member);
    other =
        std::thread([&] { has = wait_for_claim(dir.path(), "rest", Role::member).has_value(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_FALSE(has);
  }
  other.join();
  EXPECT_TRUE(has);
}

}  // namespace
}  // namespace fathom

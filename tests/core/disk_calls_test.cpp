// Calls that wait for a disk, as another thread sees them.
#include "core/disk_calls.h"

#include <gtest/gtest.h>

#include <thread>

namespace fathom {
namespace {

TEST(DiskCalls, TheLongestIsTheOneThatBeganFirst) {
  const std::string a = "/a", b = "/b";
  EXPECT_FALSE(longest_disk_call());
  {
    const DiskCall first("reading", a);
    std::thread([&] {
      const DiskCall second("writing", b);
      EXPECT_EQ(longest_disk_call()->path, "/a");
    }).join();
    const auto longest = longest_disk_call();
    ASSERT_TRUE(longest);
    EXPECT_EQ(longest->operation, "reading");
    EXPECT_EQ(longest->path, "/a");
    EXPECT_GE(longest_disk_call()->seconds, longest->seconds);
  }
  EXPECT_FALSE(longest_disk_call());
}

// Work that is many calls never looks as long as all of them.
TEST(DiskCalls, EachBeginsAnew) {
  const std::string path = "/a";
  std::optional<DiskCall> call(std::in_place, "reading", path);
  const auto begin = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  while (seconds() < 0.01) std::this_thread::yield();
  EXPECT_GE(longest_disk_call()->seconds, 0.01);
  const double before = seconds();
  call.reset();
  call.emplace("reading", path);
  EXPECT_LE(longest_disk_call()->seconds, seconds() - before);
}

}  // namespace
}  // namespace fathom

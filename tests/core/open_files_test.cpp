// The limit of open files. Each case is a process of its own, whose limit it is.
#include "core/open_files.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fathom {
namespace {

// The limit and its own bound, once `count` files are allowed where they were so before.
rlimit limit_after(const rlimit& before, std::size_t count) {
  int ends[2] = {-1, -1};
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    rlimit limit{};
    const bool done = setrlimit(RLIMIT_NOFILE, &before) == 0;
    allow_open_files(count);
    getrlimit(RLIMIT_NOFILE, &limit);
    const bool told = write(ends[1], &limit, sizeof limit) == ssize_t{sizeof limit};
    _exit(done && told ? 0 : 1);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  rlimit limit{};
  EXPECT_EQ(read(ends[0], &limit, sizeof limit), ssize_t{sizeof limit});
  close(ends[0]);
  close(ends[1]);
  return limit;
}

// 256 more are for what the process has open besides.
TEST(OpenFiles, AreAllowedAsFarAsTheSystemPermitsAndNeverFewer) {
  struct Case {
    rlim_t limit, most;
    std::size_t count;
    rlim_t expected;
  };
  for (const Case& c : {Case{300, 600, 10, 300},
                        {300, 600, 44, 300},
                        {300, 600, 45, 301},
                        {300, 600, 100, 356},
                        {300, 600, 344, 600},
                        {300, 600, 345, 600},
                        {300, 600, 100'000, 600},
                        {600, 600, 100'000, 600},
                        {64, 600, 0, 256}}) {
    SCOPED_TRACE(testing::Message() << c.count << " files, from " << c.limit << " of " << c.most);
    const rlimit after = limit_after({c.limit, c.most}, c.count);
    EXPECT_EQ(after.rlim_cur, c.expected);
    EXPECT_EQ(after.rlim_max, c.most);
  }
}

}  // namespace
}  // namespace fathom

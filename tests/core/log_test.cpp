// Lines and the status line, as a terminal and as a file get them. Whether standard error is a
// terminal is asked once a process, so each case is a process of its own.
#include "core/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <string>

#include "core/child_test.h"

namespace fathom {
namespace {

// Run in a child process, whose standard error the tests read.
TEST(LogChild, DISABLED_TellsLinesAndItsStatus) {
  log::set_status("step 1 of 中 2");
  log::warning("careful");
  log::set_status("");
  log::info("done");
}

// Runs the child with its standard error at `error`, and its standard output nowhere.
void run_child(int error) {
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  EXPECT_EQ(test::run_disabled_tests("LogChild.*", nowhere, error), 0);
  close(nowhere);
}

TEST(Log, AFileGetsLinesAlone) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(pipe(ends), 0);
  run_child(ends[1]);
  EXPECT_EQ(test::read_available(ends[0]), "warning: careful\ndone\n");
  close(ends[0]);
  close(ends[1]);
}

// Lines push the status down; it is cut to the terminal's width by characters, not by bytes.
TEST(Log, ATerminalKeepsTheStatusAtItsBottom) {
  const int ours = posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_GE(ours, 0);
  ASSERT_EQ(grantpt(ours), 0);
  ASSERT_EQ(unlockpt(ours), 0);
  const int theirs = open(ptsname(ours), O_RDWR | O_NOCTTY);
  ASSERT_GE(theirs, 0);
  const winsize size{24, 12, 0, 0};
  ASSERT_EQ(ioctl(ours, TIOCSWINSZ, &size), 0);
  run_child(theirs);
  const std::string clear = "\r\x1b[K", status = "step 1 of 中";
  EXPECT_EQ(test::read_available(ours),
            clear + status + clear + "warning: careful\r\n" + clear + status + clear + "done\r\n");
  close(theirs);
  close(ours);
}

}  // namespace
}  // namespace fathom

// Lines and the status line, as a terminal and as a file get them. Whether standard error is a
// terminal is asked once a process, so each case is a process of its own.
#include "core/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "core/child_test.h"
#include "core/progress.h"

namespace fathom {
namespace {

// Run in a child process, whose standard error the tests read.
TEST(LogChild, DISABLED_TellsLinesAndItsStatus) {
  log::set_status("step 1 of 中 2");
  log::warning("careful");
  log::set_status("");
  log::info("done");
}

TEST(ProgressChild, DISABLED_Draws) {
  Progress("begun", 100, Progress::Unit::bytes).advance(0);
  Progress("half", 100, Progress::Unit::bytes).advance(50);
  Progress("all", 100).advance(150);
  Progress("open", 0).advance(2000);
}

TEST(Log, AFileGetsLinesAlone) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(pipe(ends), 0);
  test::run_with_error_at(ends[1], "LogChild.*");
  EXPECT_EQ(test::read_available(ends[0]), "warning: careful\ndone\n");
  close(ends[0]);
  close(ends[1]);
}

// Lines push the status down; it is cut to the terminal's width by characters, not by bytes.
TEST(Log, ATerminalKeepsTheStatusAtItsBottom) {
  const std::string clear = "\r\x1b[K", whole = "step 1 of 中 2";
  for (const auto& [columns, status] : {std::pair<unsigned short, std::string>{12, "step 1 of 中"},
                                        {2, "s"},
                                        {13, "step 1 of 中 "},
                                        {14, whole},
                                        {0, whole},  // unknown
                                        {1, whole}}) {
    EXPECT_EQ(
        test::shown_on_terminal("LogChild.*", columns),
        clear + status + clear + "warning: careful\r\n" + clear + status + clear + "done\r\n");
  }
}

TEST(Progress, ATerminalGetsABar) {
  const std::string text = test::shown_on_terminal("ProgressChild.*", 0);
  const auto expect = [&](const std::string& line) {
    EXPECT_THAT(text, testing::ContainsRegex("\r\x1b\\[K" + line + "\r\x1b\\[K"));
  };
  expect("begun \\[                        \\]   0 %  0 B/s  0.0 s left");
  expect("half \\[============            \\]  50 %  [0-9.]+ ?[kMG]?B/s  [0-9.]+ s left");
  expect("all \\[========================\\] 100 %  [0-9.]+k?/s  0.0 s left");
  expect("open: 2.00k, [0-9.]+[kM]?/s");
}

}  // namespace
}  // namespace fathom

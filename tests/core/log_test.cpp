// Lines and the status line, as a terminal and as a file get them. Whether standard error is a
// terminal is asked once a process, so each case is a process of its own.
#include "core/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "core/child_test.h"
#include "core/log_redirection.h"
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

TEST(LogChild, DISABLED_TellsAStatusOfLines) {
  log::set_status("run a\nrun b\nrun c");
  log::info("one");
  log::set_status("run d");
  log::set_status("");
}

TEST(LogChild, DISABLED_TellsAStatusOfManyLines) {
  std::string text = "first";
  for (int i = 1; i < 40; ++i) text += fmt::format("\n{}", i);
  log::set_status(text);
  log::set_status("");
}

TEST(LogChild, DISABLED_Redirects) {
  std::string lines;
  {
    const log::Redirection redirection([&](log::Level level, const std::string& line) {
      lines += log::mark_of(level) + line + ";";
    });
    log::warning("kept apart");
    log::set_status("not shown");
    std::thread([] { log::info("another thread's"); }).join();
    std::thread([sink = log::Redirection::sink()] {
      const log::Redirection same(sink);
      log::info("its helper's");
    }).join();
  }
  log::info("{}", lines);
}

TEST(ProgressChild, DISABLED_Draws) {
  Progress("begun", 100, Progress::Unit::bytes).advance(0);
  Progress("at once", 100).advance(50);
  const auto later = [](Progress& progress, std::uint64_t amount) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    progress.advance(amount);
  };
  Progress half("half", 100, Progress::Unit::bytes), all("all", 100), open("open", 0);
  later(half, 50);
  later(all, 150);
  later(open, 2000);
  Progress slow("slow", 4);
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  slow.advance(1);
}

TEST(Log, AFileGetsLinesAlone) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(pipe(ends), 0);
  test::run_with_error_at(ends[1], "LogChild.*ItsStatus");
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
        test::shown_on_terminal("LogChild.*ItsStatus", columns),
        clear + status + clear + "warning: careful\r\n" + clear + status + clear + "done\r\n");
  }
}

TEST(Log, AStatusOfSeveralLinesIsClearedWhole) {
  const std::string status = "run a\r\nrun b\r\nrun c", clear = "\r\x1b[K";
  EXPECT_EQ(
      test::shown_on_terminal("LogChild.*StatusOfLines", 80),
      clear + status + "\r\x1b[2A\x1b[Jone\r\n" + clear + status + "\r\x1b[2A\x1b[Jrun d" + clear);
}

// Of 24 rows: what has scrolled away could not be cleared.
TEST(Log, AStatusIsNoHigherThanTheTerminal) {
  const std::string text = test::shown_on_terminal("LogChild.*StatusOfManyLines", 80);
  EXPECT_THAT(text, testing::HasSubstr("\r\n22\r\x1b[22A\x1b[J"));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("\n23")));
}

TEST(Log, ARedirectionTakesItsThreadsLines) {
  EXPECT_EQ(test::shown_on_terminal("LogChild.*Redirects", 80),
            "another thread's\r\nwarning: kept apart;its helper's;\r\n");
}

TEST(Progress, ATerminalGetsABar) {
  const std::string text = test::shown_on_terminal("ProgressChild.*", 0);
  const auto expect = [&](const std::string& line) {
    EXPECT_THAT(text, testing::ContainsRegex("\r\x1b\\[K" + line + "\r\x1b\\[K"));
  };
  expect("begun \\[                        \\]   0 %");
  expect("at once \\[============            \\]  50 %");
  expect("slow \\[======                  \\]  25 %  [0-9]\\.[0-9]/s  [0-9.]+ s left");
  expect("half \\[============            \\]  50 %  [0-9.]+ ?[kMG]?B/s  [0-9.]+ s left");
  expect("all \\[========================\\] 100 %  [0-9.]+k?/s  0.0 s left");
  expect("open: 2.00k, [0-9.]+[kM]?/s");
}

}  // namespace
}  // namespace fathom

// Figures as people read them, and the lines of long work.
#include "core/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "core/log.h"

namespace fathom {
namespace {

using testing::MatchesRegex;

TEST(Figures, BytesCountInThousands) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1000), "1.00 kB");
  EXPECT_EQ(human_bytes(1024), "1.02 kB");
  EXPECT_EQ(human_bytes(12'345), "12.3 kB");
  EXPECT_EQ(human_bytes(9'994), "9.99 kB");
  EXPECT_EQ(human_bytes(9'995), "10.0 kB");
  EXPECT_EQ(human_bytes(99'949), "99.9 kB");
  EXPECT_EQ(human_bytes(99'950), "100 kB");
  EXPECT_EQ(human_bytes(999'499), "999 kB");
  EXPECT_EQ(human_bytes(999'500), "1.00 MB");
  EXPECT_EQ(human_bytes(134e9), "134 GB");
  EXPECT_EQ(human_bytes(5e12), "5.00 TB");
  EXPECT_EQ(human_bytes(7e18), "7000 PB");
}

TEST(Figures, Counts) {
  EXPECT_EQ(human_count(7), "7");
  EXPECT_EQ(human_count(1500), "1.50k");
  EXPECT_EQ(human_count(12.3e6), "12.3M");
  EXPECT_EQ(human_count(67e9), "67.0B");
  EXPECT_EQ(human_count(2e12), "2.00T");
}

TEST(Figures, Seconds) {
  EXPECT_EQ(human_seconds(0), "0.0 s");
  EXPECT_EQ(human_seconds(9.94), "9.9 s");
  EXPECT_EQ(human_seconds(9.95), "10 s");
  EXPECT_EQ(human_seconds(59.4), "59 s");
  EXPECT_EQ(human_seconds(59.6), "1 min 0 s");
  EXPECT_EQ(human_seconds(200), "3 min 20 s");
  EXPECT_EQ(human_seconds(60), "1 min 0 s");
  EXPECT_EQ(human_seconds(3599.4), "59 min 59 s");
  EXPECT_EQ(human_seconds(3599.6), "1 h 0 min");
  EXPECT_EQ(human_seconds(86399), "23 h 59 min");
  EXPECT_EQ(human_seconds(86400), "1 d 0 h");
  EXPECT_EQ(human_seconds(2 * 3600 + 61), "2 h 1 min");
  EXPECT_EQ(human_seconds(3600 + 23 * 60 + 45), "1 h 23 min");
  EXPECT_EQ(human_seconds(12 * 3600 + 59), "12 h 0 min");
  EXPECT_EQ(human_seconds(3 * 86400 + 5 * 3600), "3 d 5 h");
  EXPECT_EQ(human_seconds(86400 + 2 * 3600 + 3 * 60 + 4), "1 d 2 h");
}

// The bar has 24 places; time that is left goes by the rate so far.
TEST(Progress, ALineHasShareRateAndWhatIsLeft) {
  const auto bar = [](int filled) {
    return "[" + std::string(std::size_t(filled), '=') +
           std::string(24 - std::size_t(filled), ' ') + "]";
  };
  const Progress count("steps", 1000), bytes("reading", 4'000'000, Progress::Unit::bytes);
  EXPECT_EQ(count.line(0, 10), "steps " + bar(0) + "   0 %");
  EXPECT_EQ(count.line(500, 0), "steps " + bar(12) + "  50 %") << "the clock has not moved";
  EXPECT_EQ(count.line(250, 10), "steps " + bar(6) + "  25 %  25/s  30 s left");
  EXPECT_EQ(count.line(41, 10), "steps " + bar(0) + "   4 %  4.1/s  3 min 54 s left");
  EXPECT_EQ(count.line(42, 10), "steps " + bar(1) + "   4 %  4.2/s  3 min 48 s left");
  EXPECT_EQ(count.line(999, 999), "steps " + bar(23) + " 100 %  1/s  1.0 s left");
  EXPECT_EQ(count.line(1000, 2), "steps " + bar(24) + " 100 %  500/s  0.0 s left");
  EXPECT_EQ(count.line(1500, 2), "steps " + bar(24) + " 100 %  750/s  0.0 s left");
  EXPECT_EQ(bytes.line(1'000'000, 2), "reading " + bar(6) + "  25 %  500 kB/s  6.0 s left");
}

TEST(Progress, ALineOfAnUnknownTotalHasAmountAndRate) {
  const Progress count("steps", 0), bytes("reading", 0, Progress::Unit::bytes);
  EXPECT_EQ(count.line(0, 10), "steps: 0");
  EXPECT_EQ(count.line(2000, 0), "steps: 2.00k");
  EXPECT_EQ(count.line(2000, 10), "steps: 2.00k, 200/s");
  EXPECT_EQ(bytes.line(2000, 10), "reading: 2.00 kB, 200 B/s");
}

// Two digits of slow work, whole numbers of faster work.
TEST(Progress, SlowWorkHasARateToo) {
  const Progress work("work", 0);
  for (const auto& [done, seconds, rate] : {std::tuple(1, 400.0, "0.0025"),
                                            {1, 3.0, "0.33"},
                                            {94, 10.0, "9.4"},
                                            {96, 10.0, "10"},
                                            {95, 10.0, "10"},
                                            {1'234'567, 1.0, "1.23M"}}) {
    EXPECT_EQ(work.line(std::uint64_t(done), seconds),
              "work: " + human_count(done) + ", " + rate + "/s");
  }
}

// A worker's thread has no redirection of its own.
TEST(Progress, GoesWhereItsMakersLinesGo) {
  testing::internal::CaptureStderr();
  std::vector<std::string> lines;
  {
    const log::Redirection redirection(
        [&](log::Level, const std::string& line) { lines.push_back(line); });
    Progress progress("reading", 10);
    std::thread([&] {
      progress.advance(10);
      progress.finish();
    }).join();
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines[0], MatchesRegex("reading: 10 in .*"));
}

TEST(Progress, TellsItsTotalOnce) {
  if (log::stderr_is_terminal()) GTEST_SKIP() << "a terminal gets a bar";
  testing::internal::CaptureStderr();
  {
    Progress bytes("reading", 10, Progress::Unit::bytes);
    bytes.advance(1000);
    bytes.advance(500);
    bytes.finish();
    bytes.finish();
    Progress count("writing", 0);
    count.advance(2000);
    count.finish();
    const Progress given_up("given up", 1);
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              MatchesRegex("reading: 1.50 kB in [0-9.]+ s \\([0-9.]+ ?[kMGTP]?B/s\\)\n"
                           "writing: 2.00k in [0-9.]+ s \\([0-9.]+[kMBT]?/s\\)\n"));
}

TEST(Log, MarksWarningsAndErrors) {
  testing::internal::CaptureStderr();
  log::info("{} of {}", 1, 2);
  log::warning("careful");
  log::write(log::Level::error, "wrong {}");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "1 of 2\nwarning: careful\nerror: wrong {}\n");
}

}  // namespace
}  // namespace fathom

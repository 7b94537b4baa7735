// The progress line of a run when stderr is not a terminal.
#include "report/display.h"

#include <gmock/gmock.h>

#include "core/child_test.h"

namespace fathom {
namespace {

using testing::HasSubstr;

StepReport step(std::int64_t number, double progress) {
  StepReport report;
  report.step = number;
  report.loss = 3.25;
  report.gradient_norm = 0.5;
  report.learning_rate = 4.2e-4;
  report.tokens = 1000;
  report.seconds = 0.5;
  report.progress = progress;
  report.seconds_left = 90;
  return report;
}

std::string shown(RunDisplay& display, const StepReport& report) {
  testing::internal::CaptureStderr();
  display.show(report);
  return testing::internal::GetCapturedStderr();
}

TEST(RunDisplay, OneLineNowAndThen) {
  RunDisplay display(10, 1e6, 4e9, 3600);
  const std::string first = shown(display, step(1, 0.1));
  EXPECT_THAT(first, HasSubstr("step 1/10  loss 3.2500  norm 0.500  lr 4.20e-04"));
  EXPECT_THAT(first, HasSubstr("50 % of peak"));
  EXPECT_THAT(first, HasSubstr("left"));
  EXPECT_EQ(shown(display, step(2, 0.2)), "") << "within log_seconds of the last";
  StepReport last = step(10, 1);
  last.skipped = true;
  EXPECT_THAT(shown(display, last), HasSubstr("(skipped)"));
  EXPECT_DOUBLE_EQ(display.tokens_per_second(), 2000);
  EXPECT_DOUBLE_EQ(display.seconds_per_step(), 0.5);
}

// Two steps of which the second is three times as fast: the older one counts 0.95 times.
TEST(RunDisplay, SpeedsFade) {
  RunDisplay display(0, 2e6, 1e10, 0);
  EXPECT_EQ(display.tokens_per_second(), 0);
  EXPECT_EQ(display.share_of_peak(), 0);
  StepReport report = step(1, 0.1);
  EXPECT_THAT(shown(display, report), HasSubstr("step 1  loss")) << "of an unknown number";
  report.tokens = 3000;
  report.seconds = 0.25;
  const std::string line = shown(display, report);
  const double rate = (0.95 * 1000 + 3000) / (0.95 * 0.5 + 0.25);
  EXPECT_DOUBLE_EQ(display.tokens_per_second(), rate);
  EXPECT_DOUBLE_EQ(display.share_of_peak(), rate * 2e6 / 1e10);
  EXPECT_DOUBLE_EQ(display.seconds_per_step(), (0.95 * 0.5 + 0.25) / 1.95);
  EXPECT_THAT(line, HasSubstr("5.45k tok/s  109 % of peak  1 min 30 s left"));
  EXPECT_THAT(line, testing::Not(HasSubstr("skipped")));
}

// Run in a child process, on a terminal.
TEST(RunDisplayChild, DISABLED_Draws) {
  for (const double progress : {0.0, 0.52, 1.0}) {
    RunDisplay display(10, 1e6, 0, 3600);
    display.show(step(5, progress));
  }
}

// The bar is replaced by the next one; the line of the last step stays.
TEST(RunDisplay, ATerminalGetsABar) {
  const std::string line =
      "step 5/10  loss 3.2500  norm 0.500  lr 4.20e-04  2.00k tok/s  1 min 30 s left";
  const std::string clear = "\r\x1b[K";
  const auto bar = [&](const std::string& inside) { return clear + "[" + inside + "] " + line; };
  const std::string full = bar(std::string(20, '='));
  EXPECT_EQ(test::shown_on_terminal("RunDisplayChild.*", 0),
            bar(std::string(20, ' ')) + clear + bar("==========          ") + clear + full + clear +
                line + "\r\n" + full + clear);
}

TEST(RunDisplay, WithoutAPeakThereIsNoShare) {
  RunDisplay display(10, 1e6, 0, 0);
  EXPECT_THAT(shown(display, step(1, 0.1)), testing::Not(HasSubstr("peak")));
}

TEST(RunDisplay, TheLastStepIsAlwaysShown) {
  RunDisplay display(3, 1e6, 4e9, 3600);
  shown(display, step(1, 0.3));
  EXPECT_EQ(shown(display, step(2, 0.99)), "");
  EXPECT_THAT(shown(display, step(3, 1)), HasSubstr("step 3/3"));
}

}  // namespace
}  // namespace fathom

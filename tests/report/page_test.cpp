#include "report/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

namespace fathom {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<MetricsRecord> some_records() {
  std::vector<MetricsRecord> records;
  for (int step = 1; step <= 3000; ++step) {
    MetricsRecord& record = records.emplace_back();
    record.step = step;
    record.add(metric::loss, 10 / std::sqrt(step) + 2 + 0.2 * std::sin(step * 1.7));
    record.add(metric::gradient_norm, step == 100 ? std::nan("") : 1 + 100.0 / step);
    record.add(metric::learning_rate, 3e-4 * std::min(1.0, step / 200.0));
    record.add(metric::tokens_per_second, 12000 + 300 * std::sin(step));
    if (step % 250 == 0) {
      record.add(metric::validation_loss, 10 / std::sqrt(step) + 2.1);
      record.add(metric::of_source(metric::bits_per_byte, "en"), 3 / std::sqrt(step) + 1);
      record.add(metric::of_source(metric::bits_per_byte, "zh<"), 4 / std::sqrt(step) + 1);
    }
  }
  return records;
}

TEST(Report, IsSelfContainedEscapedAndSmall) {
  ReportContent content;
  content.title = "a <b> & c";
  content.figures = {{"parameters", "25.1M"}};
  content.config_toml = "x = \"<y>\"";
  content.samples = {{"Once", " upon <a> time"}};
  const std::string page = report_html(content, some_records());
  for (const char* text : {"a &lt;b&gt; &amp; c", "25.1M", "x = &quot;&lt;y&gt;&quot;", "zh&lt;",
                           "upon &lt;a&gt; time", "Loss by step", "Held-out bits per byte",
                           "Gradient norm", "Learning rate", "Tokens a second"}) {
    EXPECT_THAT(page, HasSubstr(text));
  }
  for (const char* text : {"http", "<script", "src=", "nan", "inf,"}) {
    EXPECT_THAT(page, Not(HasSubstr(text)));
  }
  EXPECT_LT(page.size(), 150'000u);
  std::ofstream(testing::TempDir() + "fathom_report_test.html") << page;
}

TEST(Report, OddRunsDraw) {
  EXPECT_THAT(report_html({}, {}), HasSubstr("No step has been recorded yet"));
  MetricsRecord one;
  one.step = 1;
  one.add(metric::loss, 0);
  EXPECT_THAT(report_html({}, {one}), HasSubstr("<path class=\"curve c0\" d=\"M"));
}

}  // namespace
}  // namespace fathom

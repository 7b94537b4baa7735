// The scores of a run's checkpoints: as lines, as records, and as curves.
#include "eval/series.h"

#include <gmock/gmock.h>

#include <cmath>
#include <variant>

namespace fathom::eval {
namespace {

const double unknown = std::nan("");

std::vector<SeriesPoint> two_points() {
  return {{100, {{"t", "acc", 0.25, 0.125, 40}, {"u", "bits_per_byte", 1.5, unknown, 3}}},
          {2500, {{"t", "acc", 0.75, 0.0625, 40}, {"u", "bits_per_byte", unknown, unknown, 3}}}};
}

TEST(EvaluationSeries, PointsHaveTheTasksMainScore) {
  TaskResult result;
  result.task.name = "t";
  result.task.metric = "em";
  result.items.resize(7);
  result.total = {{"acc", {0.5, 0.25}}, {"em", {0.125, 0.0625}}};
  const BenchmarkScore score = benchmark_score(result);
  EXPECT_EQ(score.task, "t");
  EXPECT_EQ(score.score, "em");
  EXPECT_EQ(score.value, 0.125);
  EXPECT_EQ(score.standard_error, 0.0625);
  EXPECT_EQ(score.items, 7);
}

TEST(EvaluationSeries, LinesStandBelowTheirHeading) {
  EXPECT_EQ(series_heading() + series_lines(two_points()[0]) + series_lines(two_points()[1]),
            "      step  task                      items  score                            value   "
            " ± s.e.\n"
            "       100  t                            40  acc                             0.2500   "
            " 0.1250\n"
            "       100  u                             3  bits_per_byte                   1.5000   "
            "       \n"
            "      2500  t                            40  acc                             0.7500   "
            " 0.0625\n"
            "      2500  u                             3  bits_per_byte                            "
            "       \n");
  EXPECT_EQ(series_lines({1, {}}), "");
}

TEST(EvaluationSeries, RecordsAreNamedAsThoseOfARun) {
  EXPECT_EQ(
      series_jsonl(two_points()),
      R"({"step":100,"eval/t/acc":0.25,"eval/t/acc_stderr":0.125,"eval/u/bits_per_byte":1.5,"eval/u/bits_per_byte_stderr":null})"
      "\n"
      R"({"step":2500,"eval/t/acc":0.75,"eval/t/acc_stderr":0.0625,"eval/u/bits_per_byte":null,"eval/u/bits_per_byte_stderr":null})"
      "\n");
  EXPECT_EQ(series_jsonl({}), "");
}

TEST(EvaluationSeries, APageHasCurvesAndATable) {
  const Page page = series_page("Of a run", two_points());
  EXPECT_EQ(page.title, "Of a run");
  ASSERT_EQ(page.sections.size(), 2u);
  EXPECT_EQ(page.sections[0].title, "Curves");
  ASSERT_EQ(page.sections[0].parts.size(), 2u);
  const Series& shares = std::get<Chart>(page.sections[0].parts[0]).series.at(0);
  EXPECT_EQ(shares.name, "t acc");
  EXPECT_THAT(shares.x, testing::ElementsAre(100, 2500));
  EXPECT_THAT(shares.y, testing::ElementsAre(0.25, 0.75));
  EXPECT_EQ(page.sections[1].title, "Scores");
  const Table& table = std::get<Table>(page.sections[1].parts.at(0));
  using Row = std::vector<std::string>;
  EXPECT_EQ(table.header, (Row{"step", "task", "items", "score", "value", "standard error"}));
  EXPECT_THAT(table.rows, testing::ElementsAre(Row{"100", "t", "40", "acc", "0.2500", "0.1250"},
                                               Row{"100", "u", "3", "bits_per_byte", "1.5000", ""},
                                               Row{"2500", "t", "40", "acc", "0.7500", "0.0625"},
                                               Row{"2500", "u", "3", "bits_per_byte", "", ""}));
}

}  // namespace
}  // namespace fathom::eval

// Charts as pictures.
#include "report/svg.h"

#include <gmock/gmock.h>

#include <cmath>

#include "io/temp_dir.h"
#include "report/count.h"
#include "report/svg_scale.h"

namespace fathom {
namespace {

using test::count;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
constexpr auto linear = Axis::Scale::linear, logarithmic = Axis::Scale::logarithmic;

Chart chart() {
  Series points, line;
  points.name = "runs <1>";
  points.mark = Series::Mark::points;
  points.x = {1e17, 1e18, 1e19};
  points.y = {4, 3.5, 3};
  points.low = {3.9, 3.4, 2.9};
  points.high = {4.1, 3.6, 3.1};
  line = points;
  line.name = "";
  line.mark = Series::Mark::line;
  return {"Loss", {"compute", "FLOPs", logarithmic}, {"loss", "nats", linear}, {points, line}};
}

TEST(Svg, EventsAreDashedLinesWithTheirNames) {
  Chart c = chart();
  EXPECT_THAT(chart_svg(c), Not(HasSubstr("stroke-dasharray")));
  c.events = {{"new <data>", 1e18}, {"not on a logarithmic axis", 0}};
  const std::string svg = chart_svg(c);
  EXPECT_EQ(count(svg, "stroke-dasharray"), 1u);
  EXPECT_THAT(svg, AllOf(HasSubstr(">new &lt;data&gt;</text>"), Not(HasSubstr("not on a"))));
}

TEST(SvgScale, PlacesAreEvenInValuesOrInTheirLogarithms) {
  const SvgScale even(linear, 0, 10, 100, 200);
  EXPECT_NEAR(even.at(5), 150, 1e-9);
  EXPECT_GT(even.at(0), 100);  // a little room
  EXPECT_LT(even.at(10), 200);
  const SvgScale powers(logarithmic, 1e2, 1e6, 200, 100);  // upwards
  EXPECT_NEAR(powers.at(1e4), 150, 1e-9);
  EXPECT_NEAR(powers.at(1e4) - powers.at(1e5), powers.at(1e5) - powers.at(1e6), 1e-9);
  EXPECT_NEAR(SvgScale(linear, 3, 3, 0, 10).at(3), 5, 1e-9);
}

TEST(SvgScale, TicksAreRound) {
  const auto ticks = [](Axis::Scale scale, double low, double high, std::size_t most) {
    std::vector<std::string> texts;
    for (const double t : SvgScale(scale, low, high, 0, 1).ticks(most))
      texts.push_back(tick_text(t));
    return texts;
  };
  EXPECT_THAT(ticks(linear, 0, 10, 6), ElementsAre("0", "2", "4", "6", "8", "10"));
  EXPECT_THAT(ticks(linear, -0.1, 0.1, 5), ElementsAre("-0.1", "-0.05", "0", "0.05", "0.1"));
  EXPECT_THAT(ticks(logarithmic, 1e17, 1e20, 9),
              ElementsAre("1e17", "3e17", "1e18", "3e18", "1e19", "3e19", "1e20"));
  EXPECT_THAT(ticks(logarithmic, 1e3, 1e15, 5), ElementsAre("1000", "1e6", "1e9", "1e12", "1e15"));
  EXPECT_THAT(ticks(logarithmic, 3.1, 3.4, 9),
              ElementsAre("3.1", "3.15", "3.2", "3.25", "3.3", "3.35", "3.4"));
}

TEST(Svg, HasTitleAxesLegendPointsLineBandAndBars) {
  const std::string svg = chart_svg(chart());
  EXPECT_THAT(svg, testing::StartsWith("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  EXPECT_THAT(svg, HasSubstr(">Loss<"));
  EXPECT_THAT(svg, HasSubstr(">compute (FLOPs)<"));
  EXPECT_THAT(svg, HasSubstr(">loss (nats)<"));
  EXPECT_EQ(count(svg, ">runs &lt;1&gt;<"), 1u);
  EXPECT_EQ(count(svg, "<circle"), 3u + 1u);  // and one in the legend
  EXPECT_EQ(count(svg, "fill=\"none\" stroke=\"#1f6feb\""), 1u);
  EXPECT_EQ(count(svg, "fill-opacity"), 1u);
  // A bar in the circle's x.
  const std::string middle = svg.substr(svg.find("<circle"), 60);
  const std::string x = middle.substr(middle.find('"') + 1, 5);
  EXPECT_THAT(svg, HasSubstr("<line x1=\"" + x));
}

TEST(Svg, ANamelessSeriesHasTheColourOfTheOneBeforeIt) {
  Chart c = chart();
  c.series.push_back(c.series[0]);
  c.series.back().name = "other";
  const std::string svg = chart_svg(c);
  EXPECT_EQ(count(svg, "stroke=\"#1f6feb\""), 3u);  // points, legend, line
  EXPECT_EQ(count(svg, "stroke=\"#d9480f\""), 2u);
  EXPECT_EQ(count(svg, "<rect x=\""), 3u + 2u);  // squares, and the clipping rectangle
}

TEST(Svg, ValuesThatAnAxisCannotShowAreLeftOut) {
  Chart c = chart();
  c.series.pop_back();
  c.series[0].low = c.series[0].high = {};
  c.series[0].y[1] = NAN;
  c.series[0].x[2] = -1;
  EXPECT_EQ(count(chart_svg(c), "<circle"), 1u + 1u);
  EXPECT_THAT(chart_svg(c), Not(HasSubstr("nan")));
  c.series[0].x[0] = 0;
  EXPECT_EQ(chart_svg(c), "");
}

TEST(Svg, AWideBandLeavesTheValuesRoom) {
  Chart c = chart();
  c.series[1].low = {-1e6, 3.4, -1e6};
  c.series[1].high = {1e6, 3.6, 1e6};
  const std::string svg = chart_svg(c);
  EXPECT_THAT(svg, HasSubstr(">3.5<"));  // a tick among the values
}

TEST(Svg, UnevenColumnsAreRefused) {
  Chart c = chart();
  c.series[0].y.pop_back();
  EXPECT_EQ(test::runtime_error_of([&] { chart_svg(c); }),
            "chart 'Loss': series 'runs <1>' has 3 values of x, 2 of y, 3 of low and 3 of high");
}

}  // namespace
}  // namespace fathom

// Charts as pictures.
#include "report/svg.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <array>
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

// By the decades that they cover: nine a decade, three, two, one, one in several, and none.
TEST(SvgScale, TicksOfALogarithmicAxisAreAsManyAsFit) {
  const auto ticks = [](double low, double high) {
    std::string texts;
    for (const double t : SvgScale(logarithmic, low, high, 0, 1).ticks(9)) {
      texts += (texts.empty() ? "" : " ") + tick_text(t);
    }
    return texts;
  };
  EXPECT_EQ(ticks(1, 9), "1 2 3 4 5 6 7 8 9");
  EXPECT_EQ(ticks(1, 10), "1 2 5 10");
  EXPECT_EQ(ticks(1, 200), "1 2 5 10 20 50 100 200");
  EXPECT_EQ(ticks(1, 3000), "1 3 10 30 100 300 1000 3000");
  EXPECT_EQ(ticks(1, 1e8), "1 10 100 1000 10000 100000 1e6 1e7 1e8");
  EXPECT_EQ(ticks(1, 1e9), "1 100 10000 1e6 1e8");
  EXPECT_EQ(ticks(1e-3, 1e-1), "0.001 0.002 0.005 0.01 0.02 0.05 0.1");
  EXPECT_EQ(ticks(1, 1e40), "1 100000 1e10 1e15 1e20 1e25 1e30 1e35 1e40");
}

// Steps of 1, 2 or 5 times a power of ten: the smallest with which there are few enough.
TEST(SvgScale, TicksOfALinearAxisAreStepsOfOneTwoOrFive) {
  const auto ticks = [](double low, double high, std::size_t most) {
    std::string texts;
    for (const double t : SvgScale(linear, low, high, 0, 1).ticks(most)) {
      texts += (texts.empty() ? "" : " ") + tick_text(t);
    }
    return texts;
  };
  EXPECT_EQ(ticks(0, 10, 11), "0 1 2 3 4 5 6 7 8 9 10");
  EXPECT_EQ(ticks(0, 10, 10), "0 2 4 6 8 10");
  EXPECT_EQ(ticks(0, 10, 5), "0 5 10");
  EXPECT_EQ(ticks(0, 10, 2), "0 10");
  EXPECT_EQ(ticks(-300, 500, 9), "-300 -200 -100 0 100 200 300 400 500");
  EXPECT_EQ(ticks(7, 7, 9), "6 6.5 7 7.5 8") << "one value has one to each side";
}

TEST(SvgScale, TextsOfTicksAreShort) {
  for (const auto& [value, text] : {std::pair{0.0, "0"},
                                    {1e-13, "0"},
                                    {-1e-13, "0"},
                                    {1e-12, "1e-12"},
                                    {0.00123456, "0.00123456"},
                                    {0.000987654, "0.0009877"},
                                    {-123456.0, "-123456"},
                                    {999999.0, "999999"},
                                    {1234567.0, "1.235e6"}}) {
    EXPECT_EQ(tick_text(value), text) << value;
  }
}

// The room on each side is 4 % of what is shown.
TEST(SvgScale, LeavesTheSameRoomOnEachSide) {
  const SvgScale even(linear, 0, 10, 0, 108);
  EXPECT_NEAR(even.at(0), 4, 1e-9);
  EXPECT_NEAR(even.at(10), 104, 1e-9);
  const SvgScale one(logarithmic, 100, 100, 0, 10);
  EXPECT_NEAR(one.at(100), 5, 1e-9);
  EXPECT_NEAR(one.at(100 * std::pow(10, 0.3)), 10, 1e-9);
}

// The commands of the first path without a filling: those of a line.
std::string commands_of_line(const std::string& svg) {
  const std::size_t end = svg.find("\" fill=\"none\"");
  const std::size_t begin = svg.rfind("d=\"", end) + 3;
  std::string commands;
  for (const char c : svg.substr(begin, end - begin)) {
    if (c == 'M' || c == 'L') commands += c;
  }
  return commands;
}

TEST(Svg, ALineHasAGapWhereItHasNoValue) {
  Chart c = chart();
  c.series = {{"a", Series::Mark::line, {1, 2, 3, 4, 5, 6}, {1, 2, NAN, 4, 5, INFINITY}, {}, {}}};
  EXPECT_EQ(commands_of_line(chart_svg(c)), "MLML");
  c.series[0].y = {NAN, 2, 3, 4, 5, 6};
  EXPECT_EQ(commands_of_line(chart_svg(c)), "MLLLL");
  c.y.scale = logarithmic;
  c.series[0].y = {1, 2, 0, -4, 5, 6};
  EXPECT_EQ(commands_of_line(chart_svg(c)), "MLML") << "none is at or below 0";
  c.series[0].x = {1, 2, 3, 4, 5, 6};
  c.series[0].y = {1, NAN, 3, NAN, 5, 6};
  EXPECT_EQ(commands_of_line(chart_svg(c)), "MMML");
}

TEST(Svg, ABandGoesThereAlongItsHighEndAndBackAlongItsLow) {
  Chart c = chart();
  c.x = {"x", "", linear};
  c.series = {{"a", Series::Mark::line, {0, 50, 100}, {1, 2, 3}, {1, NAN, 1}, {3, 3, 3}}};
  const SvgScale x(linear, 0, 100, 76, 596), y(linear, 1, 3, 384, 44);
  EXPECT_THAT(chart_svg(c),
              HasSubstr(fmt::format("<path d=\"M{0:.2f} {3:.2f}L{1:.2f} {3:.2f}L{1:.2f} {2:.2f}"
                                    "L{0:.2f} {2:.2f}Z\" fill=\"#1f6feb\" fill-opacity",
                                    x.at(0), x.at(100), y.at(1), y.at(3))));
  c.series[0].low = {NAN, NAN, NAN};
  EXPECT_THAT(chart_svg(c), Not(HasSubstr("fill-opacity")));
}

TEST(Svg, PointsHaveBarsWhereTheirEndsAreKnown) {
  Chart c = chart();
  c.series.pop_back();
  const auto lines = [&] { return count(chart_svg(c), "<line"); };
  const std::size_t all = lines();
  c.series[0].low[1] = NAN;
  EXPECT_EQ(lines(), all - 1);
  c.series[0].high[0] = NAN;
  EXPECT_EQ(lines(), all - 2);
  EXPECT_EQ(count(chart_svg(c), "<circle"), 3u + 1u) << "the points themselves stay";
}

// Four shapes in turn, and six colours.
TEST(Svg, EachSeriesHasAShapeAndAColourOfItsOwn) {
  Chart c = chart();
  c.series.clear();
  const auto drawn = [&](std::size_t series) {
    c.series.resize(series, {"s", Series::Mark::points, {1}, {1}, {}, {}});
    return chart_svg(c);
  };
  const auto shapes = [](const std::string& svg) {
    return std::array{count(svg, "<circle"), count(svg, "width=\"6\""), count(svg, "l4 7h-8z"),
                      count(svg, "l4.4 4.4l-4.4 4.4")};
  };
  using Counts = std::array<std::size_t, 4>;  // of each in the chart and in its legend
  EXPECT_EQ(shapes(drawn(1)), (Counts{2, 0, 0, 0}));
  EXPECT_EQ(shapes(drawn(2)), (Counts{2, 2, 0, 0}));
  EXPECT_EQ(shapes(drawn(3)), (Counts{2, 2, 2, 0}));
  EXPECT_EQ(shapes(drawn(4)), (Counts{2, 2, 2, 2}));
  EXPECT_EQ(shapes(drawn(5)), (Counts{4, 2, 2, 2}));
  const std::string seven = drawn(7);
  for (const char* colour : {"#d9480f", "#2b8a3e", "#862e9c", "#0b7285", "#a61e4d"}) {
    EXPECT_EQ(count(seven, "stroke=\"" + std::string(colour)), 2u) << colour;
  }
  EXPECT_EQ(count(seven, "stroke=\"#1f6feb"), 4u) << "the seventh has the first one's";
}

TEST(Svg, IsAsLargeAsItsLegendNeeds) {
  Chart c = chart();
  c.series = {{"", Series::Mark::line, {1, 2}, {1, 2}, {}, {}}};
  const auto size = [&] {
    const std::string svg = chart_svg(c);
    const std::size_t begin = svg.find("viewBox=\"") + 9;
    return svg.substr(begin, svg.find('"', begin) - begin);
  };
  EXPECT_EQ(size(), "0 0 626 438") << "596 of the plot and 18 and 12 beside it; 384 and 54 below";
  c.series[0].name = std::string(10, 'n');
  EXPECT_EQ(size(), "0 0 715 438") << "22 for the mark and 6.7 for each character";
  c.series.push_back({"n", Series::Mark::line, {1, 2}, {1, 2}, {}, {}});
  EXPECT_EQ(size(), "0 0 715 438");
  c.series.resize(18, c.series[0]);
  EXPECT_EQ(size(), "0 0 715 438");
  c.series.resize(19, c.series[0]);
  EXPECT_EQ(size(), "0 0 715 444") << "19 rows of 20 behind 52, and 12 below";
}

TEST(Svg, NamesOfEventsStayInsideThePlot) {
  Chart c = chart();
  c.x = {"x", "", linear};
  c.series = {{"a", Series::Mark::line, {0, 100}, {1, 2}, {}, {}}};
  const SvgScale x(linear, 0, 100, 76, 596);
  const std::string name = "ten chars.";  // 67 units, and 4 to the line
  const auto place = [&](double at) {
    c.events = {{name, at}};
    const std::string svg = chart_svg(c);
    const std::size_t end = svg.find("\" y=\"58.00\">" + name);
    const std::size_t begin = svg.rfind("x=\"", end) + 3;
    return std::stod(svg.substr(begin, end - begin)) - x.at(at);
  };
  EXPECT_NEAR(place(0), 4, 0.01);
  EXPECT_NEAR(place(85), 4, 0.01);
  EXPECT_NEAR(place(100), -4 - 67, 0.01);
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

// The values' own range below and above them, of their ratio on a logarithmic axis.
TEST(Svg, ABandReachesBeyondTheValuesByTheirRangeAtMost) {
  Chart c = chart();
  c.series = {{"a", Series::Mark::line, {1, 2}, {30, 40}, {-1e6, 30}, {30, 1e6}}};
  std::string svg = chart_svg(c);
  for (const char* tick : {">20<", ">50<"}) EXPECT_THAT(svg, HasSubstr(tick));
  for (const char* tick : {">15<", ">55<"}) EXPECT_THAT(svg, Not(HasSubstr(tick)));
  c.series[0].low[0] = 28;
  c.series[0].high[1] = 41;
  svg = chart_svg(c);
  for (const char* tick : {">28<", ">40<"}) EXPECT_THAT(svg, HasSubstr(tick));
  for (const char* tick : {">26<", ">42<"}) EXPECT_THAT(svg, Not(HasSubstr(tick)));
  c.y.scale = logarithmic;
  c.series[0].y = {10, 100};
  c.series[0].low[0] = 1e-9;
  c.series[0].high[1] = 1e9;
  svg = chart_svg(c);
  for (const char* tick : {">1<", ">1000<"}) EXPECT_THAT(svg, HasSubstr(tick));
  for (const char* tick : {">0.5<", ">2000<", ">0.1<", ">10000<"}) {
    EXPECT_THAT(svg, Not(HasSubstr(tick)));
  }
}

TEST(Svg, UnevenColumnsAreRefused) {
  Chart c = chart();
  c.series[0].y.pop_back();
  EXPECT_EQ(test::runtime_error_of([&] { chart_svg(c); }),
            "chart 'Loss': series 'runs <1>' has 3 values of x, 2 of y, 3 of low and 3 of high");
}

}  // namespace
}  // namespace fathom

#include "report/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <tuple>

#include "core/error.h"
#include "io/temp_dir.h"
#include "report/count.h"
#include "report/embedded.h"
#include "report/html.h"

namespace fathom {
namespace {

using test::count;
using testing::HasSubstr;
using testing::Not;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
const std::string hostile = "</script><b title=\"'x'\">&\u2028\u2029";
const std::string hostile_as_html =
    "&lt;/script&gt;&lt;b title=&quot;&#39;x&#39;&quot;&gt;&amp;\u2028\u2029";

Chart small_chart(std::string name = "training") {
  return {"Loss",
          {"step", "", Axis::Scale::linear},
          {"loss", "nats per token", Axis::Scale::logarithmic},
          {{std::move(name), Series::Mark::line, {1, 2, 3}, {4.5, nan, 2.25}, {}, {}}}};
}

Page page_of(std::vector<SectionPart> parts) {
  return {"a page", {{"Part one", std::move(parts)}}};
}

// The text that chart.js parses: everything up to the end tag, as a browser finds it.
nlohmann::json data_of(const std::string& page, int chart = 1) {
  const std::string open =
      "<script type=\"application/json\" id=\"chart-" + std::to_string(chart) + "\">";
  const std::size_t begin = page.find(open);
  if (begin == std::string::npos) return {};
  const std::size_t text = begin + open.size();
  return nlohmann::json::parse(page.substr(text, page.find("</script", text) - text));
}

// Pages are long: a matcher would print them whole.
bool contains(const std::string& html, std::string_view text) {
  return html.find(text) != std::string::npos;
}

TEST(Html, EscapesForContentAttributesAndScripts) {
  EXPECT_EQ(html_escaped(hostile), hostile_as_html);
  const std::string json = script_json_string(hostile);
  for (const char* text : {"<", "\u2028", "\u2029"}) EXPECT_THAT(json, Not(HasSubstr(text)));
  EXPECT_EQ(nlohmann::json::parse(json), hostile);
  EXPECT_EQ(nlohmann::json::parse(script_json_string("a\xff\n\"\\")), "a\ufffd\n\"\\");
  EXPECT_EQ(json_number(nan, 6) + json_number(-INFINITY, 6), "nullnull");
  EXPECT_EQ(json_number(123456789, 10), "123456789");
}

// Each place of the page that takes a text.
TEST(Page, EscapesEveryText) {
  Chart chart = small_chart(hostile);
  chart.title = chart.x.name = chart.y.name = chart.y.unit = hostile;
  chart.events = {{hostile, 2}};
  const Page page{hostile,
                  {{hostile,
                    {Paragraph{hostile}, Figures{{{hostile, hostile}}},
                     Table{{hostile}, {{hostile}}}, chart, Preformatted{hostile, hostile},
                     Continuations{hostile, {{hostile, hostile}}, Fold::closed}}}}};
  const std::string html = page_html(page);
  EXPECT_EQ(count(html, hostile), 0u);
  EXPECT_EQ(count(html, "</script><b"), 0u);
  // Title twice, section, paragraph, figure's 2, table's 2, chart's title twice, y twice
  // of name and unit each, x once and beside each of 3 values, series' row, the event's 2, text's
  // 2, the continuation's 3.
  EXPECT_EQ(count(html, hostile_as_html), 2u + 1 + 1 + 2 + 2 + 2 + 4 + 4 + 1 + 2 + 2 + 3);
  const nlohmann::json data = data_of(html);
  EXPECT_EQ(data["series"][0]["name"], hostile);
  EXPECT_EQ(data["events"][0]["name"], hostile);
  EXPECT_EQ(data["x"]["name"], hostile);
}

TEST(Page, HoldsWhatItsSectionsList) {
  const std::string html = page_html(page_of(
      {Paragraph{"Some text."}, Figures{{{"parameters", "25.1M"}}},
       Table{{"task", "score"}, {{"copying", "0.75"}}}, Preformatted{"Configuration", "x = 1\n"},
       Continuations{"Step 2", {{"Once", " upon\na time"}, {"从前", ""}}, Fold::open},
       Continuations{"Step 1", {{"Once", " b"}}, Fold::closed}}));
  for (const char* text :
       {"<title>a page</title>", "<h1>a page</h1>", "<h2>Part one</h2>", "<p>Some text.</p>",
        "<dt>parameters</dt><dd>25.1M</dd>", "<tr><th>task</th><th>score</th></tr>",
        "<tr><td>copying</td><td>0.75</td></tr>",
        "<summary>Configuration</summary><pre>x = 1\n</pre>",
        "<details class=\"continuations\" open><summary>Step 2</summary>\n"
        "<p dir=\"auto\"><b>Once</b> upon\na time</p>\n"
        "<p dir=\"auto\"><b>从前</b> <small>(ends here)</small></p>\n</details>\n"
        "<details class=\"continuations\"><summary>Step 1</summary>\n"
        "<p dir=\"auto\"><b>Once</b> b</p>\n</details>\n"}) {
    EXPECT_TRUE(contains(html, text));
  }
  EXPECT_FALSE(contains(html, "<script")) << "<script";  // no chart
}

TEST(Page, EventsAreMarkedAndListed) {
  Chart chart = small_chart();
  EXPECT_FALSE(data_of(page_html(page_of({chart}))).contains("events"));
  chart.events = {{"new data", 2}, {"never", nan}};
  const std::string html = page_html(page_of({chart}));
  const nlohmann::json events = data_of(html).at("events");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].at("name"), "new data");
  EXPECT_EQ(events[0].at("x"), 2);
  EXPECT_TRUE(
      contains(html, "<tr><th>new data</th><td colspan=\"3\"><small>at step 2</small></td></tr>"));
}

TEST(Page, ASeriesWithoutANameIsDrawnButNotListed) {
  Chart chart = small_chart();
  chart.series.push_back(chart.series[0]);
  chart.series[1].name = "";
  const std::string html = page_html(page_of({chart}));
  EXPECT_EQ(data_of(html)["series"].size(), 2u);
  EXPECT_EQ(count(html, "<td>2.25 "), 2u);  // last and lowest, of one series
}

TEST(Page, BlankLinesOfATextAreShownAsOne) {
  const auto shown = [](const std::string& rest) {
    const std::string html =
        page_html(page_of({Continuations{"Step 1", {{"Once", rest}}, Fold::open}}));
    const std::size_t begin = html.find("</b>") + 4;
    return html.substr(begin, html.find("</p>") - begin);
  };
  EXPECT_EQ(shown(" a\n  b\n\nc"), " a\n  b\n\nc");
  EXPECT_EQ(shown("a\n \n\t\r\n\n  b\n\n\n\nc\n\n\n"), "a\n\n  b\n\nc");
  EXPECT_EQ(shown(" \n"), "");
}

TEST(Page, LeavesOutWhatIsEmpty) {
  Chart nothing = small_chart();
  nothing.series[0].y = {nan, nan, nan};
  const std::string html =
      page_html(page_of({Paragraph{}, Figures{}, Table{{"a"}, {}}, Preformatted{"b", ""},
                         Continuations{"c", {}, Fold::open}, nothing}));
  for (const char* text : {"Part one", "<section", "<script", "class=\"charts\""}) {
    EXPECT_FALSE(contains(html, text)) << text;
  }
}

TEST(Page, ChartsNextToEachOtherShareAGrid) {
  const std::string html =
      page_html(page_of({small_chart(), small_chart(), Paragraph{"between"}, small_chart()}));
  // Only the tags and texts that show the order.
  std::string order;
  const std::string_view parts[] = {"<div class=\"charts\">", "<figure class=\"chart\">",
                                    "</figure>\n</div>", "<p>between</p>", "</section>"};
  for (std::size_t at = html.find("<section>"); at <= html.find("</section>"); ++at) {
    for (std::size_t i = 0; i < std::size(parts); ++i) {
      if (std::string_view(html).substr(at).starts_with(parts[i])) order += "[f]b."[i];
    }
  }
  EXPECT_EQ(order, "[ff]b[f].");
  EXPECT_EQ(data_of(html, 3)["series"][0]["name"], "training");
}

TEST(Chart, DataIsJson) {
  Chart chart = small_chart();
  chart.series.push_back({"fit", Series::Mark::points, {1e21, nan}, {3, 4}, {2.5, 4}, {3.5, 4}});
  chart.series.push_back({"empty", Series::Mark::line, {}, {}, {}, {}});
  const nlohmann::json data = data_of(page_html(page_of({chart})));
  EXPECT_EQ(data["x"], nlohmann::json::parse(R"({"name": "step", "log": false})"));
  EXPECT_EQ(data["y"], nlohmann::json::parse(R"({"name": "loss", "log": true})"));
  EXPECT_EQ(data["series"], nlohmann::json::parse(R"([
    {"name": "training", "mark": "line", "x": [1, 2, 3], "y": [4.5, null, 2.25]},
    {"name": "fit", "mark": "points", "x": [1e21], "y": [3], "low": [2.5], "high": [3.5]}])"));
}

// Without a script the names, units and last values can be read.
TEST(Chart, HasATableOfValues) {
  Chart chart = small_chart();
  chart.series[0].x = {100, 200, 300, 400};
  chart.series[0].y = {4.5, 2, 3, nan};
  EXPECT_THAT(
      chart_html(chart, "id"),
      HasSubstr("<details class=\"values\" open><summary>Values</summary><div class=\"wide\">"
                "<table>\n<tr><th>loss (nats per token)</th><th>last</th><th>lowest</th>"
                "<th>highest</th></tr>\n<tr><th>training</th><td>3 <small>at step 300</small></td>"
                "<td>2 <small>at step 200</small></td><td>4.5 <small>at step 100</small></td>"
                "</tr>\n</table>"));
}

// Of equal values the first is named.
TEST(Chart, LowestAndHighestAreTheFirstOfTheirValue) {
  Chart chart = small_chart();
  chart.series[0].x = {1, 2, 3, 4, 5};
  chart.series[0].y = {nan, 2, 5, 5, 2};
  EXPECT_THAT(chart_html(chart, "id"),
              HasSubstr("<td>2 <small>at step 5</small></td><td>2 <small>at step 2</small></td>"
                        "<td>5 <small>at step 3</small></td>"));
}

TEST(Chart, RefusesUnevenColumns) {
  const auto error = [](std::size_t y, std::size_t low, std::size_t high) {
    Chart chart = small_chart();
    Series& series = chart.series[0];
    series.y.resize(y);
    series.low.resize(low);
    series.high.resize(high);
    return test::runtime_error_of([&] { chart_html(chart, "id"); });
  };
  EXPECT_EQ(error(3, 0, 0), "no error");
  EXPECT_EQ(error(3, 3, 3), "no error");
  for (const auto& [y, low, high] :
       {std::tuple{2, 0, 0}, {4, 0, 0}, {2, 3, 3}, {3, 3, 0}, {3, 0, 3}, {3, 2, 3}, {3, 3, 4}}) {
    EXPECT_EQ(error(y, low, high),
              fmt::format("chart 'Loss': series 'training' has 3 values of x, {} of y, {} of low "
                          "and {} of high",
                          y, low, high));
  }
}

TEST(Chart, FiguresAreShort) {
  for (const auto& [value, shown] : {std::pair{0.0, "0"},
                                     {2.345678, "2.3457"},
                                     {3e-4, "0.0003"},
                                     {1234567.0, "1234567"},
                                     {-9999999.0, "-9999999"},
                                     {1e7, "10M"},
                                     {999999.5, "1e+06"},
                                     {1000000.5, "1M"},
                                     {12345678.0, "12.346M"},
                                     {999e6, "999M"},
                                     {1e9, "1G"},
                                     {2.5e9, "2.5G"},
                                     {1e12, "1T"},
                                     {-4.5e13, "-45T"},
                                     {9.99e14, "999T"},
                                     {1e15, "1e15"},
                                     {1.25e21, "1.25e21"}}) {
    EXPECT_EQ(chart_figure(value), shown) << value;
  }
}

// The page's own files end no element early and ask for nothing from elsewhere.
TEST(Page, IsSelfContained) {
  for (const std::string_view script : {embedded::dygraphs_script, embedded::chart_script}) {
    for (const char* text : {"</script", "<!--"}) {
      EXPECT_EQ(script.find(text), std::string_view::npos) << text;
    }
  }
  EXPECT_EQ(embedded::dygraphs_licence.find("--"), std::string_view::npos);
  EXPECT_GT(embedded::dygraphs_script.size(), 100'000u);
  const std::string html = page_html(page_of({small_chart()}));
  EXPECT_TRUE(contains(html, "Permission is hereby granted, free of charge"));
  EXPECT_THAT(html, HasSubstr("content=\"default-src 'none';"));
  for (const char* text : {" src=", " href=", "url(", "@import", "sourceMappingURL"}) {
    EXPECT_FALSE(contains(html, text)) << text;
  }
}

TEST(Page, IsWritten) {
  const test::TempDir directory;
  write_page(directory / "page.html", page_of({small_chart()}));
  EXPECT_EQ(test::read_file(directory / "page.html"), page_html(page_of({small_chart()})));
}

}  // namespace
}  // namespace fathom

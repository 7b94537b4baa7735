#include "report/chart.h"

#include <fmt/format.h>

#include <cmath>

#include "core/error.h"
#include "report/html.h"
#include "report/thinning.h"

namespace fathom {
namespace {

constexpr int x_digits = 10;  // steps and token counts stay exact
constexpr int y_digits = 6;

using Column = std::vector<double>;

Column selected(const Column& values, const std::vector<std::size_t>& indices) {
  Column out;
  for (const std::size_t i : indices) out.push_back(values[i]);
  return out;
}

Series selected(const Series& series, const std::vector<std::size_t>& indices) {
  Series out{series.name, series.mark, selected(series.x, indices), selected(series.y, indices),
             {},          {}};
  if (series.low.empty()) return out;
  out.low = selected(series.low, indices);
  out.high = selected(series.high, indices);
  return out;
}

// Without the points that have no x.
Series with_finite_x(const Series& series) {
  std::vector<std::size_t> finite;
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    if (std::isfinite(series.x[i])) finite.push_back(i);
  }
  return selected(series, finite);
}

bool has_values(const Series& series) {
  for (const double y : series.y) {
    if (std::isfinite(y)) return true;
  }
  return false;
}

std::string json_column(const char* key, const Column& values, int digits) {
  std::string out = fmt::format(",\"{}\":[", key);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    out += json_number(values[i], digits);
  }
  return out + "]";
}

std::string json_of(const Series& whole) {
  const bool line = whole.mark == Series::Mark::line;
  const Series series = line ? selected(whole, thinned(whole.x, whole.y)) : whole;
  std::string out = fmt::format("{{\"name\":{},\"mark\":\"{}\"", script_json_string(series.name),
                                line ? "line" : "points");
  out += json_column("x", series.x, x_digits) + json_column("y", series.y, y_digits);
  if (!series.low.empty()) {
    out += json_column("low", series.low, y_digits) + json_column("high", series.high, y_digits);
  }
  return out + "}\n";
}

std::string json_of(const Axis& axis) {
  return fmt::format("{{\"name\":{},\"log\":{}}}", script_json_string(axis.name),
                     axis.scale == Axis::Scale::logarithmic);
}

std::string json_of(const ChartEvent& event) {
  return fmt::format("{{\"name\":{},\"x\":{}}}", script_json_string(event.name),
                     json_number(event.x, x_digits));
}

template <class Parts>
std::string json_list(const Parts& parts) {
  std::string list;
  for (const auto& part : parts) list += (list.empty() ? "" : ",") + json_of(part);
  return "[" + list + "]";
}

std::string data_json(const Chart& chart, const std::vector<Series>& series,
                      const std::vector<ChartEvent>& events) {
  return fmt::format("{{\"x\":{},\"y\":{},\"series\":{}{}}}", json_of(chart.x), json_of(chart.y),
                     json_list(series), events.empty() ? "" : ",\"events\":" + json_list(events));
}

std::string label(const Axis& axis) {
  return html_escaped(axis.unit.empty() ? axis.name : axis.name + " (" + axis.unit + ")");
}

std::string value_row(const Series& series, const std::string& x_name) {
  std::size_t last = 0, low = series.y.size(), high = low;
  for (std::size_t i = 0; i < series.y.size(); ++i) {
    const double y = series.y[i];
    if (!std::isfinite(y)) continue;
    last = i;
    if (low == series.y.size() || y < series.y[low]) low = i;
    if (high == series.y.size() || y > series.y[high]) high = i;
  }
  std::string row = "<tr><th>" + html_escaped(series.name) + "</th>";
  for (const std::size_t i : {last, low, high}) {
    row += fmt::format("<td>{} <small>at {} {}</small></td>", chart_figure(series.y[i]),
                       html_escaped(x_name), chart_figure(series.x[i]));
  }
  return row + "</tr>\n";
}

std::string event_row(const ChartEvent& event, const std::string& x_name) {
  return fmt::format("<tr><th>{}</th><td colspan=\"3\"><small>at {} {}</small></td></tr>\n",
                     html_escaped(event.name), html_escaped(x_name), chart_figure(event.x));
}

// Open if no script runs; chart.js closes it.
std::string value_table(const Chart& chart, const std::vector<Series>& all,
                        const std::vector<ChartEvent>& events) {
  std::string rows;
  for (const Series& series : all) {
    if (!series.name.empty()) rows += value_row(series, chart.x.name);
  }
  for (const ChartEvent& event : events) rows += event_row(event, chart.x.name);
  return "<details class=\"values\" open><summary>Values</summary><div class=\"wide\"><table>\n"
         "<tr><th>" +
         label(chart.y) + "</th><th>last</th><th>lowest</th><th>highest</th></tr>\n" + rows +
         "</table></div></details>\n";
}

}  // namespace

std::string chart_figure(double value) {
  const double size = std::abs(value);
  if (size < 1e7 && value == std::floor(value)) return fmt::format("{:.0f}", value);
  if (size >= 1e15) return short_number(value, 5);
  if (size < 1e6) return fmt::format("{:.5g}", value);
  double scaled = value / 1e6;
  const char* suffix = "M";
  for (const char* larger : {"G", "T"}) {
    if (std::abs(scaled) < 1000) break;
    scaled /= 1000;
    suffix = larger;
  }
  return fmt::format("{:.5g}{}", scaled, suffix);
}

std::string short_number(double value, int digits) {
  const std::string text = fmt::format("{:.{}g}", value, digits);  // "3.52e+08"
  const std::size_t e = text.find('e');
  if (e == std::string::npos) return text;
  return fmt::format("{}e{}", text.substr(0, e), std::stoi(text.substr(e + 1)));
}

void require_even_columns(const Chart& chart, const Series& series) {
  const std::size_t size = series.x.size();
  const bool band = !series.low.empty() || !series.high.empty();
  if (series.y.size() == size &&
      (!band || (series.low.size() == size && series.high.size() == size))) {
    return;
  }
  fail_runtime("chart '{}': series '{}' has {} values of x, {} of y, {} of low and {} of high",
               chart.title, series.name, size, series.y.size(), series.low.size(),
               series.high.size());
}

std::string chart_html(const Chart& chart, const std::string& id) {
  std::vector<Series> drawn;
  for (const Series& series : chart.series) {
    require_even_columns(chart, series);
    Series usable = with_finite_x(series);
    if (has_values(usable)) drawn.push_back(std::move(usable));
  }
  if (drawn.empty()) return "";
  std::vector<ChartEvent> events = chart.events;
  std::erase_if(events, [](const ChartEvent& event) { return !std::isfinite(event.x); });
  return fmt::format(
      "<figure class=\"chart\"><figcaption>{}</figcaption>\n"
      "<div class=\"drawing\" hidden><p class=\"axis\"><span>{}</span></p>\n"
      "<div class=\"plot\" role=\"img\" aria-label=\"{}\"></div><p class=\"axis x\">{}</p></div>\n"
      "{}<script type=\"application/json\" id=\"{}\">{}</script></figure>\n",
      html_escaped(chart.title), label(chart.y), html_escaped(chart.title), label(chart.x),
      value_table(chart, drawn, events), html_escaped(id), data_json(chart, drawn, events));
}

}  // namespace fathom

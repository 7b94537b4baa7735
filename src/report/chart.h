// A chart of a report page: series of numbers over two named axes. A reader can zoom,
// hover over points and switch to logarithmic scales. The numbers may be anything: losses
// by step, a fit through a sweep, throughput.
#pragma once

#include <string>
#include <vector>

namespace fathom {

struct Series {
  enum class Mark { line, points };
  // Empty: it belongs to the series before it, such as the curve through its points, has its colour
  // and no entry of its own in the legend.
  std::string name;
  Mark mark = Mark::line;
  // x and y have the same length. In a line x ascends. A value of y that is not finite
  // leaves a gap in the line; a point whose x is not finite is left out.
  std::vector<double> x, y;
  // A band around y, such as a fit's confidence interval, or a bar for each point; as long as y, or
  // both empty.
  std::vector<double> low, high;
};

struct Axis {
  enum class Scale { linear, logarithmic };  // at first: the reader can switch
  std::string name, unit;                    // "loss", "nats per token"; unit may be empty
  Scale scale = Scale::linear;
};

// Something that happened at an x: a dashed line across the chart with its name.
struct ChartEvent {
  std::string name;
  double x = 0;  // one that is not finite is left out
};

struct Chart {
  std::string title;
  Axis x, y;
  std::vector<Series> series;
  std::vector<ChartEvent> events = {};
};

// Throws a run-time Error, which names the chart, when the columns of its series `series` differ in
// length.
void require_even_columns(const Chart& chart, const Series& series);

// The chart as a <figure>: its data as JSON, which chart.js draws, and a table of the
// last, lowest and highest values, which needs no script. Empty when no series has a
// finite point. `id` is unique in the page. Throws a run-time Error for a series whose
// columns differ in length.
std::string chart_html(const Chart& chart, const std::string& id);

// The value for people: whole numbers below ten million in full, others with at most five
// significant digits, from ten million on with M, G or T, from 1e15 on with an exponent.
std::string chart_figure(double value);

// At most `digits` significant digits: "0.5243", "3.52e8".
std::string short_number(double value, int digits);

}  // namespace fathom

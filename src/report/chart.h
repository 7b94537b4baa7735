// A chart of a report page: series of numbers over two named axes, which a reader
// can zoom, hover over and switch to logarithmic scales. It does not know what the
// numbers mean: a loss by step, a fit through a sweep and a throughput are all series.
#pragma once

#include <string>
#include <vector>

namespace fathom {

struct Series {
  enum class Mark { line, points };
  std::string name;
  Mark mark = Mark::line;
  // As long as each other. x ascends in a line. A value of y that is not finite is a
  // gap in the line; a point whose x is not finite is left out.
  std::vector<double> x, y;
  // A band around y, as a fit's confidence interval; as long as y, or both empty.
  std::vector<double> low, high;
};

struct Axis {
  enum class Scale { linear, logarithmic };  // to begin with: the reader can switch
  std::string name, unit;                    // "loss", "nats per token"; unit may be empty
  Scale scale = Scale::linear;
};

struct Chart {
  std::string title;
  Axis x, y;
  std::vector<Series> series;
};

// The chart as a <figure>: its data as JSON, which chart.js draws, and a table of the
// last, lowest and highest values, which needs no script. Empty when no series has a
// finite point. `id` is unique in the page. Throws a run-time Error for a series whose
// columns differ in length.
std::string chart_html(const Chart& chart, const std::string& id);

// Six digits at most, with k, M, G, T for thousands and powers of ten beyond.
std::string chart_figure(double value);

}  // namespace fathom

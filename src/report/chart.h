// A line chart as inline SVG. Colours come from the page's style sheet, so that
// it follows the reader's light or dark theme. Internal to the report.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace fathom {

struct Curve {
  std::string label;
  std::vector<std::pair<double, double>> points;  // ascending x; NaN y: a gap
};

enum class Axis { linear, logarithmic };

// Empty when no curve has a finite point. Long curves are thinned to about one
// point a pixel column, keeping each column's lowest and highest.
std::string chart_svg(const std::string& title, const std::vector<Curve>& curves,
                      Axis y_axis = Axis::linear);

std::string html_escaped(const std::string& text);

}  // namespace fathom

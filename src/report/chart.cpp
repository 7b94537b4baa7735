#include "report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace fathom {
namespace {

constexpr double width = 640, height = 260;
constexpr double left = 62, right = 24, top = 14, bottom = 28;  // margins
constexpr double infinity = std::numeric_limits<double>::infinity();

struct Span {
  double low = infinity, high = -infinity;
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  double share(double value) const { return (value - low) / (high - low); }
  // A chart needs some width, and a little room around the values.
  void widen(double room) {
    if (high <= low) high = low + std::max(1e-9, std::abs(low) * 0.1), low = 2 * low - high;
    const double more = (high - low) * room;
    low -= more, high += more;
  }
};

// About five round values inside the span.
std::vector<double> ticks(const Span& span) {
  const double rough = (span.high - span.low) / 5;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = power;
  for (const double factor : {2.0, 5.0, 10.0}) {
    if (step < rough) step = factor * power;
  }
  std::vector<double> values;
  for (double at = std::ceil(span.low / step); at * step <= span.high; ++at) {
    values.push_back(at * step);
  }
  return values;
}

std::string figure(double value) {
  const double size = std::abs(value);
  if (size >= 1e6) return fmt::format("{:.3g}M", value / 1e6);
  if (size >= 1e4) return fmt::format("{:.3g}k", value / 1e3);
  return fmt::format("{:.4g}", size < 1e-12 ? 0.0 : value);
}

struct Frame {
  Span x, y;
  Axis y_axis;
  double scaled(double value) const {
    return y_axis == Axis::logarithmic ? std::log10(value) : value;
  }
  bool usable(double value) const {
    return std::isfinite(value) && (y_axis == Axis::linear || value > 0);
  }
  double px(double value) const { return left + x.share(value) * (width - left - right); }
  double py(double value) const {
    return height - bottom - y.share(value) * (height - top - bottom);
  }
};

// The curve's path, with each pixel column's lowest and highest value.
std::string path_of(const Curve& curve, const Frame& frame) {
  std::string path;
  bool pen_down = false;
  for (std::size_t i = 0; i < curve.points.size();) {
    const double column = std::floor(frame.px(curve.points[i].first));
    Span values;
    const double at = frame.px(curve.points[i].first);
    bool gap = false;
    for (; i < curve.points.size() && std::floor(frame.px(curve.points[i].first)) == column; ++i) {
      const double value = curve.points[i].second;
      if (frame.usable(value)) {
        values.add(frame.scaled(value));
      } else {
        gap = true;
      }
    }
    if (values.low <= values.high) {
      path += fmt::format("{}{:.1f},{:.1f}", pen_down ? "L" : "M", at, frame.py(values.low));
      if (values.high > values.low)
        path += fmt::format("L{:.1f},{:.1f}", at, frame.py(values.high));
      if (!pen_down) path += "h0.1";  // a lone point shows as a dot
    }
    pen_down = values.low <= values.high && !gap;
  }
  return path;
}

std::string grid(const Frame& frame) {
  std::string out;
  for (const double value : ticks(frame.y)) {
    const double shown = frame.y_axis == Axis::logarithmic ? std::pow(10.0, value) : value;
    out += fmt::format(
        "<path class=\"grid\" d=\"M{:.1f},{:.1f}H{:.1f}\"/><text x=\"{:.1f}\" y=\"{:.1f}\" "
        "text-anchor=\"end\">{}</text>\n",
        left, frame.py(value), width - right, left - 6, frame.py(value) + 4, figure(shown));
  }
  for (const double value : ticks(frame.x)) {
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
                       frame.px(value), height - bottom + 18, figure(value));
  }
  return out;
}

}  // namespace

std::string html_escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string chart_svg(const std::string& title, const std::vector<Curve>& curves, Axis y_axis) {
  Frame frame{{}, {}, y_axis};
  for (const Curve& curve : curves) {
    for (const auto& [x, y] : curve.points) {
      if (!frame.usable(y)) continue;
      frame.x.add(x);
      frame.y.add(frame.scaled(y));
    }
  }
  if (frame.y.low > frame.y.high) return "";
  frame.x.widen(0);
  frame.y.widen(0.04);
  std::string out = fmt::format(
      "<figure><figcaption>{}</figcaption>\n<svg viewBox=\"0 0 {} {}\" role=\"img\" "
      "aria-label=\"{}\">\n{}",
      html_escaped(title), width, height, html_escaped(title), grid(frame));
  constexpr int num_colours = 6;  // classes c0 to c5 of the page
  std::string legend;
  for (std::size_t i = 0; i < curves.size(); ++i) {
    out += fmt::format("<path class=\"curve c{}\" d=\"{}\"/>\n", i % num_colours,
                       path_of(curves[i], frame));
    legend += fmt::format("<span class=\"c{}\">{}</span> ", i % num_colours,
                          html_escaped(curves[i].label));
  }
  out += "</svg>\n";
  if (curves.size() > 1) out += "<p class=\"legend\">" + legend + "</p>\n";
  return out + "</figure>\n";
}

}  // namespace fathom

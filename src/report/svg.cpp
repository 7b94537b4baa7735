#include "report/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "report/html.h"
#include "report/svg_scale.h"

namespace fathom {
namespace {

// Units of the picture, which are pixels where it is shown at its own size.
constexpr double plot_left = 76, plot_top = 44, plot_width = 520, plot_height = 340;
constexpr double plot_right = plot_left + plot_width, plot_bottom = plot_top + plot_height;
constexpr double below = 54, character = 6.7, legend_gap = 18, legend_line = 20;

// The colours of the page, on white.
constexpr std::array<const char*, 6> colours{"#1f6feb", "#d9480f", "#2b8a3e",
                                             "#862e9c", "#0b7285", "#a61e4d"};
constexpr const char* ink = "#1d2530";
constexpr const char* soft = "#5d6875";
constexpr const char* grid_line = "#dfe4e9";

struct Span {
  double low = std::numeric_limits<double>::infinity(), high = -low;

  bool empty() const { return low > high; }
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

bool shown(double value, const Axis& axis) {
  return std::isfinite(value) && (axis.scale == Axis::Scale::linear || value > 0);
}

// Bands reach beyond the values by at most the values' own range: where a fit knows nothing, its
// interval would leave the rest of the chart no room.
void add_band(Span& span, const Chart& chart) {
  const bool logarithmic = chart.y.scale == Axis::Scale::logarithmic;
  const double range = logarithmic ? span.high / span.low : span.high - span.low;
  const double lowest = logarithmic ? span.low / range : span.low - range;
  const double highest = logarithmic ? span.high * range : span.high + range;
  for (const Series& series : chart.series) {
    for (const auto* column : {&series.low, &series.high}) {
      for (const double value : *column) {
        if (shown(value, chart.y)) span.add(std::clamp(value, lowest, highest));
      }
    }
  }
}

class Picture {
 public:
  explicit Picture(const Chart& chart) : chart_(chart) {
    for (const Series& series : chart.series) require_even_columns(chart, series);
    for (const Series& series : chart.series) {
      for (std::size_t i = 0; i < series.x.size(); ++i) {
        if (!shown(series.x[i], chart.x) || !shown(series.y[i], chart.y)) continue;
        x_span_.add(series.x[i]);
        y_span_.add(series.y[i]);
      }
    }
    if (!y_span_.empty()) add_band(y_span_, chart);
  }

  std::string text() {
    if (x_span_.empty()) return "";
    x_.emplace(chart_.x.scale, x_span_.low, x_span_.high, plot_left, plot_right);
    y_.emplace(chart_.y.scale, y_span_.low, y_span_.high, plot_bottom, plot_top);
    const std::string inside = events() + all_series();
    const double width = plot_right + legend_gap + legend_width_ + 12;
    const double height = std::max(plot_bottom + below, legend_y_ + 12);
    return fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
        "width=\"{0:.0f}\" height=\"{1:.0f}\" font-family=\"DejaVu Sans, Helvetica, Arial, "
        "sans-serif\" font-size=\"12\" fill=\"{2}\">\n<title>{3}</title>\n"
        "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
        "<clipPath id=\"plot\"><rect x=\"{4}\" y=\"{5}\" width=\"{6}\" "
        "height=\"{7}\"/></clipPath>\n"
        "<text x=\"{4}\" y=\"24\" font-size=\"15\" font-weight=\"bold\">{3}</text>\n"
        "{8}<g clip-path=\"url(#plot)\">\n{9}</g>\n{10}</svg>\n",
        width, height, ink, html_escaped(chart_.title), plot_left, plot_top, plot_width,
        plot_height, axes(), inside, legend_);
  }

 private:
  static std::string label(const Axis& axis) {
    return html_escaped(axis.unit.empty() ? axis.name : axis.name + " (" + axis.unit + ")");
  }

  std::string axes() const {
    std::string out = fmt::format("<g stroke=\"{}\">\n", grid_line);
    const std::vector<double> xs = x_->ticks(9), ys = y_->ticks(9);
    for (const double x : xs) out += line(x_->at(x), plot_top, x_->at(x), plot_bottom);
    for (const double y : ys) out += line(plot_left, y_->at(y), plot_right, y_->at(y));
    out += fmt::format("</g>\n<g stroke=\"{}\">\n", soft);
    out += line(plot_left, plot_bottom, plot_right, plot_bottom);
    out += line(plot_left, plot_top, plot_left, plot_bottom) + "</g>\n";
    out += "<g text-anchor=\"middle\">\n";
    for (const double x : xs) out += text_at(x_->at(x), plot_bottom + 17, tick_text(x));
    out += text_at((plot_left + plot_right) / 2, plot_bottom + 42, label(chart_.x));
    const double middle = (plot_top + plot_bottom) / 2;
    out += fmt::format("<text transform=\"translate(16 {}) rotate(-90)\">{}</text>\n</g>\n", middle,
                       label(chart_.y));
    out += "<g text-anchor=\"end\">\n";
    for (const double y : ys) out += text_at(plot_left - 7, y_->at(y) + 4, tick_text(y));
    return out + "</g>\n";
  }

  static std::string line(double x1, double y1, double x2, double y2) {
    return fmt::format("<line x1=\"{:.2f}\" y1=\"{:.2f}\" x2=\"{:.2f}\" y2=\"{:.2f}\"/>\n", x1, y1,
                       x2, y2);
  }

  static std::string text_at(double x, double y, const std::string& escaped) {
    return fmt::format("<text x=\"{:.2f}\" y=\"{:.2f}\">{}</text>\n", x, y, escaped);
  }

  // Bands below lines below points.
  std::string all_series() {
    std::string bands, lines, points;
    std::size_t colour = 0, named = 0;
    for (const Series& series : chart_.series) {
      if (!series.name.empty()) colour = named++;
      const bool is_line = series.mark == Series::Mark::line;
      if (!series.name.empty()) add_to_legend(series, colour);
      if (is_line) {
        bands += band(series, colour);
        lines += path(series, colour);
      } else {
        points += marks(series, colour);
      }
    }
    return bands + lines + points;
  }

  // Dashed lines with their names at the top, below the curves.
  std::string events() const {
    std::string out;
    for (const ChartEvent& event : chart_.events) {
      if (!shown(event.x, chart_.x)) continue;
      const double x = x_->at(event.x);
      out += fmt::format("<g stroke=\"{}\" stroke-dasharray=\"4 4\">{}</g>\n", soft,
                         line(x, plot_top, x, plot_bottom));
      const double width = character * static_cast<double>(event.name.size());
      out += text_at(x + 4 + width > plot_right ? x - 4 - width : x + 4, plot_top + 14,
                     html_escaped(event.name));
    }
    return out;
  }

  bool has_point(const Series& series, std::size_t i) const {
    return shown(series.x[i], chart_.x) && shown(series.y[i], chart_.y);
  }

  bool has_band(const Series& series, std::size_t i) const {
    return !series.low.empty() && shown(series.x[i], chart_.x) && shown(series.low[i], chart_.y) &&
           shown(series.high[i], chart_.y);
  }

  std::string path(const Series& series, std::size_t colour) const {
    std::string d;
    bool on = false;
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (has_point(series, i)) d += place(on ? 'L' : 'M', series.x[i], series.y[i]);
      on = has_point(series, i);
    }
    return fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\"/>\n", d,
                       colour_of(colour));
  }

  std::string band(const Series& series, std::size_t colour) const {
    std::string there, back;
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (!has_band(series, i)) continue;
      there += place(there.empty() ? 'M' : 'L', series.x[i], series.high[i]);
      back = place('L', series.x[i], series.low[i]) + back;
    }
    if (there.empty()) return "";
    return fmt::format("<path d=\"{}{}Z\" fill=\"{}\" fill-opacity=\"0.16\"/>\n", there, back,
                       colour_of(colour));
  }

  std::string marks(const Series& series, std::size_t colour) const {
    std::string out = fmt::format("<g stroke=\"{0}\" fill=\"{0}\">\n", colour_of(colour));
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (!has_point(series, i)) continue;
      const double x = x_->at(series.x[i]);
      if (has_band(series, i)) out += line(x, y_->at(series.low[i]), x, y_->at(series.high[i]));
      out += mark(colour, x, y_->at(series.y[i]));
    }
    return out + "</g>\n";
  }

  // Circle, square, triangle, diamond.
  static std::string mark(std::size_t colour, double x, double y) {
    switch (colour % 4) {
      case 0:
        return fmt::format("<circle cx=\"{:.2f}\" cy=\"{:.2f}\" r=\"3.4\"/>\n", x, y);
      case 1:
        return fmt::format("<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"6\" height=\"6\"/>\n", x - 3,
                           y - 3);
      case 2:
        return fmt::format("<path d=\"M{:.2f} {:.2f}l4 7h-8z\"/>\n", x, y - 4.5);
      default:
        return fmt::format("<path d=\"M{:.2f} {:.2f}l4.4 4.4l-4.4 4.4l-4.4-4.4z\"/>\n", x, y - 4.4);
    }
  }

  std::string place(char command, double x, double y) const {
    return fmt::format("{}{:.2f} {:.2f}", command, x_->at(x), y_->at(y));
  }

  static const char* colour_of(std::size_t colour) { return colours[colour % colours.size()]; }

  void add_to_legend(const Series& series, std::size_t colour) {
    const double x = plot_right + legend_gap, y = legend_y_;
    legend_ += fmt::format(
        "<g stroke=\"{0}\" fill=\"{0}\" stroke-width=\"1.6\">{1}</g>\n", colour_of(colour),
        series.mark == Series::Mark::line ? line(x, y, x + 16, y) : mark(colour, x + 8, y));
    legend_ += text_at(x + 22, y + 4, html_escaped(series.name));
    const double length = 22 + character * static_cast<double>(series.name.size());
    legend_width_ = std::max(legend_width_, length);
    legend_y_ += legend_line;
  }

  const Chart& chart_;
  Span x_span_, y_span_;
  std::optional<SvgScale> x_, y_;
  std::string legend_;
  double legend_width_ = 0, legend_y_ = plot_top + 8;
};

}  // namespace

std::string chart_svg(const Chart& chart) {
  return Picture(chart).text();
}

}  // namespace fathom

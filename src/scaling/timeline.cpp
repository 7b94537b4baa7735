#include "scaling/timeline.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/html.h"

namespace fathom::scaling {
namespace {

constexpr double width = 1200, left = 70, top = 50, row = 26, gap = 6;

const char* color_of(TraceKind kind) {
  switch (kind) {
    case TraceKind::forward:
      return "#4c78a8";
    case TraceKind::backward:
      return "#72b7b2";
    case TraceKind::update:
      return "#e45756";
    case TraceKind::communication:
    case TraceKind::join:
    case TraceKind::wait:
    case TraceKind::pipeline:
      break;
  }
  return "";
}

// A round step between marks of the axis: 1, 2 or 5 and zeros, at most 12 marks.
double mark_step(double seconds) {
  double step = 1e-6;
  for (const double factor : {2.0, 2.5, 2.0}) {
    if (seconds / step <= 12) return step;
    step *= factor;
  }
  while (seconds / step > 12) {
    for (const double factor : {2.0, 2.5, 2.0}) {
      if (seconds / step > 12) step *= factor;
    }
  }
  return step;
}

std::string axis(double seconds, double scale, double bottom) {
  std::string text;
  const double step = mark_step(seconds);
  for (double t = 0; t <= seconds; t += step) {
    const double x = left + t * scale;
    text += fmt::format(
        "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\" stroke=\"#ddd\"/>"
        "<text x=\"{0:.1f}\" y=\"{3:.1f}\" text-anchor=\"middle\">{4:.3g}</text>\n",
        x, top - 6, bottom, bottom + 14, t);
  }
  return text +
         fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">seconds</text>\n",
                     left + width / 2, bottom + 32);
}

std::string legend() {
  std::string text;
  double x = left;
  for (const auto& [kind, name] : {std::pair{TraceKind::forward, "forward"},
                                   {TraceKind::backward, "backward"},
                                   {TraceKind::update, "update"}}) {
    text += fmt::format(
        "<rect x=\"{:.1f}\" y=\"26\" width=\"12\" height=\"12\" fill=\"{}\"/><text x=\"{:.1f}\" "
        "y=\"36\">{}</text>\n",
        x, color_of(kind), x + 16, name);
    x += 90;
  }
  return text;
}

std::string box(const Trace::Span& span, double scale, double y) {
  const double x = left + span.begin * scale, wide = (span.end - span.begin) * scale;
  std::string text = fmt::format(
      "<rect x=\"{:.2f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"{:.1f}\" fill=\"{}\" "
      "stroke=\"white\" stroke-width=\"0.5\"/>",
      x, y, wide, row, color_of(span.kind));
  if (span.number >= 0 && wide > 18) {
    text += fmt::format(
        "<text x=\"{:.2f}\" y=\"{:.1f}\" text-anchor=\"middle\" fill=\"white\">{}{}</text>",
        x + wide / 2, y + row / 2 + 4, span.name, span.number);
  }
  return text + "\n";
}

}  // namespace

std::string timeline_svg(const StepTime& time, const std::string& title) {
  const double scale = width / time.seconds;
  const double bottom = top + static_cast<double>(time.spans.size()) * (row + gap);
  std::string text = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "viewBox=\"0 0 {0:.0f} {1:.0f}\" font-family=\"sans-serif\" font-size=\"11\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
      "<text x=\"{2:.1f}\" y=\"16\" font-size=\"13\">{3}</text>\n",
      left + width + 20, bottom + 44, left, html_escaped(title));
  text += legend() + axis(time.seconds, scale, bottom);
  for (std::size_t stage = 0; stage < time.spans.size(); ++stage) {
    const double y = top + static_cast<double>(stage) * (row + gap);
    text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">stage {}</text>\n",
                        left - 8, y + row / 2 + 4, stage);
    for (const Trace::Span& span : time.spans[stage]) {
      if (*color_of(span.kind) != '\0') text += box(span, scale, y);
    }
  }
  return text + "</svg>\n";
}

std::string timeline_trace(const StepTime& time) {
  std::string text = "[\n";
  for (std::size_t stage = 0; stage < time.spans.size(); ++stage) {
    if (stage > 0) text += ",\n";
    text += chrome_events(time.spans[stage], static_cast<int>(stage),
                          fmt::format("stage {}", stage), 0);
  }
  return text + "\n]\n";
}

}  // namespace fathom::scaling

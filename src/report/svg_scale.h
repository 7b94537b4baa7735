// An axis of an SVG chart: which values it shows, and where.
#pragma once

#include <string>
#include <vector>

#include "report/chart.h"

namespace fathom {

class SvgScale {
 public:
  // Shows low to high (low <= high, both positive on a logarithmic scale) with a little room, from
  // `begin` to `end` in units of the picture.
  SvgScale(Axis::Scale scale, double low, double high, double begin, double end);

  double at(double value) const;  // place of a value
  // Round values, at most `most`: powers of ten and multiples of them, or even steps.
  std::vector<double> ticks(std::size_t most) const;

 private:
  double transformed(double value) const;
  std::vector<double> even_ticks(std::size_t most) const;

  Axis::Scale scale_;
  double low_, high_;  // transformed: logarithms to base 10 on a logarithmic scale
  double begin_, end_;
};

// The value of a tick for people: "0.25", "20000", "3e17".
std::string tick_text(double value);

}  // namespace fathom

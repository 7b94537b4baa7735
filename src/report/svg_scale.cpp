#include "report/svg_scale.h"

#include <cmath>

namespace fathom {
namespace {

constexpr double room = 0.04;  // of the range, on each side

}  // namespace

SvgScale::SvgScale(Axis::Scale scale, double low, double high, double begin, double end)
    : scale_(scale), begin_(begin), end_(end) {
  low_ = transformed(low);
  high_ = transformed(high);
  const double range = high_ - low_;
  // One value alone is in the middle.
  const double more = range > 0 ? room * range : scale == Axis::Scale::linear ? 1 : 0.3;
  low_ -= more;
  high_ += more;
}

double SvgScale::transformed(double value) const {
  return scale_ == Axis::Scale::linear ? value : std::log10(value);
}

double SvgScale::at(double value) const {
  return begin_ + (end_ - begin_) * (transformed(value) - low_) / (high_ - low_);
}

std::vector<double> SvgScale::even_ticks(std::size_t most) const {
  const bool logarithmic = scale_ == Axis::Scale::logarithmic;
  const double low = logarithmic ? std::pow(10, low_) : low_;
  const double high = logarithmic ? std::pow(10, high_) : high_;
  const double least_step = (high - low) / static_cast<double>(most);
  const double power = std::pow(10, std::floor(std::log10(least_step)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0}) {
    if (factor * power >= least_step) step = factor * power;
  }
  std::vector<double> ticks;
  for (double k = std::ceil(low / step); k * step <= high; ++k) ticks.push_back(k * step);
  return ticks;
}

std::vector<double> SvgScale::ticks(std::size_t most) const {
  if (scale_ == Axis::Scale::linear) return even_ticks(most);
  struct Choice {
    int decades;
    std::vector<double> factors;
  };
  for (const Choice& choice : {Choice{1, {1, 2, 3, 4, 5, 6, 7, 8, 9}},
                               {1, {1, 2, 5}},
                               {1, {1, 3}},
                               {1, {1}},
                               {2, {1}},
                               {3, {1}},
                               {5, {1}},
                               {10, {1}}}) {
    std::vector<double> found;
    const int first = choice.decades * static_cast<int>(std::floor(low_ / choice.decades));
    for (int power = first; power <= high_; power += choice.decades) {
      for (const double factor : choice.factors) {
        const double place = power + std::log10(factor);
        if (place >= low_ && place <= high_) found.push_back(factor * std::pow(10, power));
      }
    }
    if (found.size() < 3) break;  // a narrow range has round values of a linear axis instead
    if (found.size() <= most) return found;
  }
  return even_ticks(most);
}

std::string tick_text(double value) {
  const double size = std::abs(value);
  if (size < 1e-12) return "0";
  return short_number(value, size >= 1e-3 && size < 1e6 ? 6 : 4);
}

}  // namespace fathom

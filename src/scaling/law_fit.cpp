#include "scaling/law_fit.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/parallel.h"
#include "scaling/bootstrap.h"
#include "scaling/robust_fit.h"

namespace fathom::scaling {
namespace {

using Parameters = std::vector<double>;

// ln y of a line (2 parameters: value at the centre, slope) or of a curve with an irreducible term
// (a third: its logarithm), and the derivatives.
double log_value(double u, std::span<const double> p, std::span<double> by) {
  const double line = p[0] + p[1] * u;
  if (p.size() == 2) {
    by[0] = 1, by[1] = u;
    return line;
  }
  const double high = std::max(line, p[2]);
  const double value = high + std::log(std::exp(line - high) + std::exp(p[2] - high));
  const double share = std::exp(line - value);
  by[0] = share, by[1] = share * u, by[2] = 1 - share;
  return value;
}

// The points over logarithms, u = ln x − centre.
struct LogPoints {
  double centre = 0;
  std::vector<double> u, value, deviation;  // ln y, and the standard deviation of its draws
};

// Half of what holds the middle 68 % of the draws.
double deviation_of(const LawPoint& point) {
  constexpr double least = 1e-9;
  std::vector<double> logs;
  for (const double draw : point.draws) {
    if (draw > 0) logs.push_back(std::log(draw));
  }
  if (logs.size() < 2) return least;
  std::ranges::sort(logs);
  const auto rank = [&](double share) {
    return logs[static_cast<std::size_t>(share * static_cast<double>(logs.size() - 1))];
  };
  return std::max((rank(0.84134) - rank(0.15866)) / 2, least);
}

LogPoints log_points(std::span<const LawPoint> points) {
  LogPoints out;
  for (const LawPoint& point : points) {
    out.centre += std::log(point.x) / static_cast<double>(points.size());
  }
  for (const LawPoint& point : points) {
    out.u.push_back(std::log(point.x) - out.centre);
    out.value.push_back(std::log(point.y));
    out.deviation.push_back(deviation_of(point));
  }
  return out;
}

// Of values in place of `points.value`; NaN: left out.
Parameters fit_line(const LogPoints& points, std::span<const double> values, double delta,
                    Parameters start) {
  const Residual residual = [&](std::size_t i, std::span<const double> p, std::span<double> by) {
    if (std::isnan(values[i])) {
      std::ranges::fill(by, 0.0);
      return 0.0;
    }
    const double value = log_value(points.u[i], p, by);
    for (double& derivative : by) derivative /= points.deviation[i];
    return (value - values[i]) / points.deviation[i];
  };
  return robust_fit(values.size(), residual, delta, std::move(start)).parameters;
}

// Plainly, then robustly from there: far from the lowest cost, where all residuals are outliers,
// the search is slow.
Parameters fit_points(const LogPoints& points, std::span<const double> values, Parameters start) {
  constexpr double plain = std::numeric_limits<double>::infinity();
  Parameters p = fit_line(points, values, plain, std::move(start));
  return fit_line(points, values, usual_delta, std::move(p));
}

double chi_square(const LogPoints& points, std::span<const double> values, const Parameters& p) {
  double sum = 0;
  Parameters unused(p.size());
  for (std::size_t i = 0; i < points.u.size(); ++i) {
    if (std::isnan(values[i])) continue;
    const double r = (log_value(points.u[i], p, unused) - values[i]) / points.deviation[i];
    sum += r * r;
  }
  return sum;
}

// How much wider than their spread the draws are to be.
double widening(const LogPoints& points, const Parameters& p, double freedom) {
  const double points_free = static_cast<double>(points.u.size()) - static_cast<double>(p.size());
  const double birge =
      points_free > 0 ? std::sqrt(chi_square(points, points.value, p) / points_free) : 1;
  return small_sample_factor(freedom) * std::max(1.0, birge);
}

// Fits to the draws by `refit`, which fits values in place of the points', with `noise_factor`
// times their noise. Draws of fewer points than parameters are left out.
template <class Refit>
std::vector<Parameters> fit_draws(std::span<const LawPoint> points, const LogPoints& logs,
                                  std::size_t parameters, double noise_factor, Refit&& refit) {
  std::vector<Parameters> all(points[0].draws.size());
  const auto fit_one = [&](std::size_t draw) {
    std::vector<double> values;
    for (std::size_t i = 0; i < points.size(); ++i) {
      const double drawn = points[i].draws[draw], value = logs.value[i];
      values.push_back(drawn > 0 ? value + noise_factor * (std::log(drawn) - value)
                                 : std::numeric_limits<double>::quiet_NaN());
    }
    const auto missing = std::ranges::count_if(values, [](double v) { return std::isnan(v); });
    if (values.size() - static_cast<std::size_t>(missing) < parameters) return;
    all[draw] = refit(values);
  };
  parallel_for(static_cast<std::int64_t>(all.size()), 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) fit_one(static_cast<std::size_t>(i));
  });
  std::erase_if(all, [](const Parameters& p) { return p.empty(); });
  return all;
}

// At x = 1, far from the points. The line of a draw may be too steep for a number there: it gets
// the largest or smallest, whose inverse is a number too.
double coefficient_of(const LogPoints& points, const Parameters& p) {
  constexpr double most = 700;  // e^709 is the largest double
  return std::exp(std::clamp(p[0] - p[1] * points.centre, -most, most));
}

// A parameter with the interval of its place in the draws.
template <std::size_t N>
Parameter parameter(double value, const std::vector<std::array<double, N>>& draws,
                    std::size_t place) {
  Parameter out{value, {}};
  std::vector<double> values;
  for (const auto& draw : draws) values.push_back(draw[place]);
  if (!values.empty()) out.interval = middle_95(std::move(values));
  return out;
}

void require_points(std::span<const LawPoint> points) {
  require(points.size() >= least_budgets, "a law through {} points", points.size());
}

// From lines whose irreducible part is a share of the lowest loss: plainly from each, then robustly
// from the best of these fits.
Parameters fit_curve(const LogPoints& points, std::span<const double> values,
                     const Parameters& line) {
  constexpr double plain = std::numeric_limits<double>::infinity();
  const double lowest = *std::ranges::min_element(points.value);
  Parameters best{line[0], line[1], -1e3};
  double best_cost = std::numeric_limits<double>::infinity();
  for (const double share : {0.05, 0.3, 0.6, 0.85}) {
    const Parameters start{line[0] + std::log(1 - share), line[1] / (1 - share),
                           lowest + std::log(share)};
    Parameters p = fit_line(points, values, plain, start);
    const double cost = chi_square(points, values, p);
    if (!(cost < best_cost)) continue;
    best_cost = cost;
    best = std::move(p);
  }
  return fit_line(points, values, usual_delta, std::move(best));
}

}  // namespace

PowerLaw fit_power_law(std::span<const LawPoint> points, double freedom) {
  require_points(points);
  const LogPoints logs = log_points(points);
  const Parameters fitted = fit_points(logs, logs.value, {logs.value[0], 0});
  const double factor = widening(logs, fitted, freedom);
  PowerLaw law;
  for (const LawPoint& point : points) law.record.points.push_back({point.x, point.y});
  const auto refit = [&](std::span<const double> values) {
    return fit_line(logs, values, usual_delta, fitted);
  };
  for (Parameters& p : fit_draws(points, logs, fitted.size(), 1, refit)) {
    for (std::size_t k = 0; k < p.size(); ++k) p[k] = fitted[k] + factor * (p[k] - fitted[k]);
    add_draw(law.record.draws, {coefficient_of(logs, p), p[1]});
  }
  law.coefficient = parameter(coefficient_of(logs, fitted), law.record.draws, 0);
  law.exponent = parameter(fitted[1], law.record.draws, 1);
  return law;
}

// The noise of the draws is widened rather than their parameters: the irreducible loss ends at 0,
// where a parameter of a draw that is wider would leave the curve far behind. Each draw is fitted
// from all starts, for a fit whose irreducible loss is 0 has no slope towards another one.
LossCurve fit_loss_curve(std::span<const LawPoint> points, double freedom) {
  require_points(points);
  const LogPoints logs = log_points(points);
  const Parameters line = fit_points(logs, logs.value, {logs.value[0], 0});
  const auto fit = [&](std::span<const double> values) {
    return points.size() < least_budgets_for_irreducible ? fit_line(logs, values, usual_delta, line)
                                                         : fit_curve(logs, values, line);
  };
  const Parameters fitted = fit(logs.value);
  const auto members = [&](const Parameters& p) {
    return std::array<double, 3>{p.size() == 3 ? std::exp(p[2]) : 0, coefficient_of(logs, p), p[1]};
  };
  LossCurve curve;
  for (const LawPoint& point : points) curve.record.points.push_back({point.x, point.y});
  const double factor = widening(logs, fitted, freedom);
  for (const Parameters& p : fit_draws(points, logs, fitted.size(), factor, fit)) {
    add_draw(curve.record.draws, members(p));
  }
  const auto [irreducible, coefficient, exponent] = members(fitted);
  curve.irreducible = parameter(irreducible, curve.record.draws, 0);
  curve.coefficient = parameter(coefficient, curve.record.draws, 1);
  curve.exponent = parameter(exponent, curve.record.draws, 2);
  return curve;
}

}  // namespace fathom::scaling

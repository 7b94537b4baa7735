#include "train/loss_forecast.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/progress.h"
#include "train/metric_names.h"

namespace fathom {
namespace {

using Point = LossForecast::Point;

Point between(const Point& a, const Point& b, double tokens) {
  const double share = std::log(tokens / a.tokens) / std::log(b.tokens / a.tokens);
  const auto mean = [&](double Point::*value) {
    return std::exp(std::lerp(std::log(a.*value), std::log(b.*value), share));
  };
  return {tokens, mean(&Point::loss), mean(&Point::low), mean(&Point::high)};
}

void add(Series& series, double x, const Point& point) {
  series.x.push_back(x);
  series.y.push_back(point.loss);
  series.low.push_back(point.low);
  series.high.push_back(point.high);
}

// A chart's bands have no gaps: without a band there are no columns for one.
void drop_unknown_band(Series& series) {
  if (series.low.empty() || std::isfinite(series.low.front())) return;
  series.low.clear();
  series.high.clear();
}

}  // namespace

std::optional<Point> LossForecast::at(double tokens) const {
  if (points.empty() || !(tokens >= points.front().tokens)) return std::nullopt;
  const auto above = std::ranges::upper_bound(points, tokens, {}, &Point::tokens);
  if (above == points.end()) {
    Point last = points.back();
    last.tokens = tokens;
    return last;
  }
  return between(*(above - 1), *above, tokens);
}

std::vector<Series> forecast_series(const LossForecast& forecast,
                                    const std::vector<MetricsRecord>& records) {
  const std::string laws = std::filesystem::path(forecast.laws).filename().string();
  Series curve, end;
  curve.name = fmt::format("predicted by {} for a run that ends there", laws);
  end.mark = Series::Mark::points;  // without a name: in the curve's colour
  bool ended = false;
  for (const MetricsRecord& record : records) {
    const double* const tokens = record.find(metric::tokens);
    if (!tokens) continue;
    const auto step = static_cast<double>(record.step);
    if (const auto point = forecast.at(*tokens)) add(curve, step, *point);
    ended = !forecast.points.empty() && *tokens >= forecast.points.back().tokens;
  }
  if (curve.x.empty()) return {};
  if (ended) add(end, curve.x.back(), forecast.points.back());
  drop_unknown_band(curve);
  drop_unknown_band(end);
  return {std::move(curve), std::move(end)};
}

ForecastWatch::ForecastWatch(LossForecast forecast, std::int64_t steps)
    : forecast_(std::move(forecast)),
      window_(static_cast<std::size_t>(std::clamp<std::int64_t>(steps / 100, 10, 200))) {}

std::string ForecastWatch::step(std::int64_t step, double tokens, double progress, double loss) {
  if (forecast_.figure != LossForecast::Figure::loss || !std::isfinite(loss)) return "";
  last_.push_back(loss);
  if (last_.size() > window_) last_.pop_front();
  if (last_.size() < window_) return "";
  const double sum = std::accumulate(last_.begin(), last_.end(), 0.0);
  return judge(step, tokens, progress, sum / static_cast<double>(window_));
}

std::string ForecastWatch::validation(std::int64_t step, double tokens, double progress,
                                      double bits_per_byte) {
  if (forecast_.figure != LossForecast::Figure::bits_per_byte) return "";
  return judge(step, tokens, progress, bits_per_byte);
}

std::string ForecastWatch::judge(std::int64_t step, double tokens, double progress, double value) {
  const std::optional<Point> expected = forecast_.at(tokens);
  if (!expected) return "";
  // Once told, it has to come back well into the band: a mean beside its edge crosses that often.
  const double back = outside_ ? 0.25 : 0;
  const bool ends = progress >= 1 - end_share;
  const auto edge = [&](double end) { return end + back * (expected->loss - end); };
  const bool below = value < edge(expected->low);
  const bool above = ends && value > edge(expected->high);
  const bool was_outside = std::exchange(outside_, below || above);
  if (!outside_ || was_outside) return "";
  const std::string what =
      forecast_.figure == LossForecast::Figure::loss
          ? fmt::format("the loss (mean of the last {} steps) is {:.4f}", window_, value)
          : fmt::format("held-out text takes {:.4f} bits per byte", value);
  return fmt::format("step {}: {}, {} the {:.4f} to {:.4f} that {} predicts for a run of {} tokens",
                     step, what, below ? "below" : "above", expected->low, expected->high,
                     forecast_.laws, human_count(tokens));
}

}  // namespace fathom

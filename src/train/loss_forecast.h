// The loss that scaling laws predict for a run: drawn beside the run's own in its report page, and
// compared with it while the run trains. scaling/run_laws.h makes it from a laws file.
//
// A law gives the loss at the END of a run of D tokens, when the learning rate has fallen. So the
// forecast for t tokens is that of a run which ends there: a run that is to be longer is above it
// while its rate is high, and meets it at its own end.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "report/chart.h"
#include "report/metrics.h"

namespace fathom {

struct LossForecast {
  // What the laws were fitted to: nats per token of the validation, or its bits per byte.
  enum class Figure { loss, bits_per_byte };
  struct Point {
    double tokens = 0, loss = 0;
    double low = 0, high = 0;  // holds 95 % of such runs; NaN: not known
  };

  std::string laws;  // where it comes from, for messages
  Figure figure = Figure::loss;
  std::vector<Point> points;  // ascending in tokens; the last one is the run's end

  // Between the points on logarithmic scales, after the last one its value; none before the first.
  std::optional<Point> at(double tokens) const;
};

// The forecast over the steps of a run's records, with its band, and the predicted end as a point.
// No series where no record has come so far.
std::vector<Series> forecast_series(const LossForecast& forecast,
                                    const std::vector<MetricsRecord>& records);

// Tells when a run leaves its forecast's band: below it at any time (no run should be better than
// one that ends there), above it over the last `end_share` of the run, where the forecast holds.
class ForecastWatch {
 public:
  static constexpr double end_share = 0.05;

  // `steps`: of the whole run, from which follows over how many a loss is averaged.
  ForecastWatch(LossForecast forecast, std::int64_t steps);

  // After a step that ends with `tokens` read in all, and `progress`, in [0, 1], of the run done.
  // A warning when the mean of the last losses has left the band; empty otherwise, and until it has
  // come back by a quarter of the way to the forecast. A forecast in bits per byte is not compared with losses.
  std::string step(std::int64_t step, double tokens, double progress, double loss);
  // The same for held-out text, which needs no mean.
  std::string validation(std::int64_t step, double tokens, double progress, double bits_per_byte);

 private:
  std::string judge(std::int64_t step, double tokens, double progress, double value);

  LossForecast forecast_;
  std::size_t window_;
  std::deque<double> last_;
  bool outside_ = false;
};

}  // namespace fathom

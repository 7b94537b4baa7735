#include "train/benchmark_charts.h"

#include <algorithm>

#include "train/metric_names.h"

namespace fathom {

Series series_of(const std::vector<MetricsRecord>& records, std::string_view metric_name,
                 std::string name) {
  Series series;
  series.name = std::move(name);
  for (const MetricsRecord& record : records) {
    const double* value = record.find(metric_name);
    if (!value) continue;
    series.x.push_back(static_cast<double>(record.step));
    series.y.push_back(*value);
  }
  return series;
}

Chart chart_by_step(std::string title, Axis y, std::vector<Series> series) {
  return {std::move(title), {"step", "", Axis::Scale::linear}, std::move(y), std::move(series)};
}

namespace {

// Whether the score is a share of right answers; otherwise it has a unit of its own.
bool is_share(std::string_view score) {
  return !score.ends_with("perplexity") && !score.ends_with("bits_per_byte");
}

constexpr double interval_width = 1.959964;  // 95 % of a normal distribution, in standard errors

// "piqa acc" of "eval/piqa/acc", with the interval that its standard errors give.
Series benchmark_series(const std::vector<MetricsRecord>& records, const std::string& metric_name) {
  std::string name = metric_name.substr(metric::benchmark_prefix.size());
  name[name.rfind('/')] = ' ';
  Series series = series_of(records, metric_name, name);
  const Series errors =
      series_of(records, metric_name + std::string(metric::standard_error_suffix), "");
  if (errors.x != series.x) return series;
  for (std::size_t i = 0; i < series.y.size(); ++i) {
    series.low.push_back(series.y[i] - interval_width * errors.y[i]);
    series.high.push_back(series.y[i] + interval_width * errors.y[i]);
  }
  return series;
}

std::vector<std::string> benchmark_names(const std::vector<MetricsRecord>& records) {
  std::vector<std::string> names;
  for (const MetricsRecord& record : records) {
    for (const auto& [name, value] : record.values) {
      if (name.starts_with(metric::benchmark_prefix) &&
          name.rfind('/') >= metric::benchmark_prefix.size() &&
          !name.ends_with(metric::standard_error_suffix) &&
          std::ranges::find(names, name) == names.end()) {
        names.push_back(name);
      }
    }
  }
  return names;
}

}  // namespace

std::vector<Chart> benchmark_charts(const std::vector<MetricsRecord>& records) {
  std::vector<Chart> charts;
  for (const std::string& name : benchmark_names(records)) {
    const std::string score = name.substr(name.rfind('/') + 1);
    const std::string title = is_share(score) ? "Benchmarks" : "Benchmarks: " + score;
    auto chart = std::ranges::find(charts, title, &Chart::title);
    if (chart == charts.end()) {
      const Axis y{is_share(score) ? "right answers" : score, is_share(score) ? "share" : "",
                   Axis::Scale::linear};
      chart = charts.insert(charts.end(), chart_by_step(title, y, {}));
    }
    chart->series.push_back(benchmark_series(records, name));
  }
  return charts;
}

}  // namespace fathom

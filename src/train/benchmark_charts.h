// Curves over training steps, of a run's page and of the checkpoints that `fathom eval` compares.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/chart.h"
#include "report/metrics.h"

namespace fathom {

// The values of `metric_name` by their steps.
Series series_of(const std::vector<MetricsRecord>& records, std::string_view metric_name,
                 std::string name);
Chart chart_by_step(std::string title, Axis y, std::vector<Series> series);

// Scores of benchmarks (metric::of_benchmark) with 95 % intervals: shares of right answers in one
// chart, and a chart for each other score.
std::vector<Chart> benchmark_charts(const std::vector<MetricsRecord>& records);

}  // namespace fathom

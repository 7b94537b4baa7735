#include "eval/series.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "train/benchmark_charts.h"
#include "train/metric_names.h"

namespace fathom::eval {
namespace {

std::vector<MetricsRecord> records_of(const std::vector<SeriesPoint>& points) {
  std::vector<MetricsRecord> records;
  for (const SeriesPoint& point : points) {
    MetricsRecord& record = records.emplace_back();
    record.step = point.step;
    for (const BenchmarkScore& score : point.scores) {
      const std::string name = metric::of_benchmark(score.task, score.score);
      record.add(name, score.value);
      record.add(name + std::string(metric::standard_error_suffix), score.standard_error);
    }
  }
  return records;
}

}  // namespace

BenchmarkScore benchmark_score(const TaskResult& result) {
  const std::string score = main_score(result);
  const Estimate& estimate = result.total.at(score);
  return {result.task.name, score, estimate.value, estimate.standard_error, std::ssize(result.items)};
}

namespace {

// Nothing where it is not known.
std::string number_text(double value) {
  return std::isfinite(value) ? fmt::format("{:.4f}", value) : "";
}

}  // namespace

std::string series_heading() {
  return fmt::format("{:>10}  {:<24} {:>6}  {:<28} {:>9} {:>9}\n", "step", "task", "items", "score", "value", "± s.e.");
}

std::string series_lines(const SeriesPoint& point) {
  std::string out;
  for (const BenchmarkScore& score : point.scores) {
    out += fmt::format("{:>10}  {:<24} {:>6}  {:<28} {:>9} {:>9}\n", point.step, score.task, score.items, score.score,
                       number_text(score.value), number_text(score.standard_error));
  }
  return out;
}

std::string series_jsonl(const std::vector<SeriesPoint>& points) {
  std::string out;
  for (const MetricsRecord& record : records_of(points)) {
    nlohmann::ordered_json line{{"step", record.step}};
    for (const auto& [name, value] : record.values) line[name] = value;  // null where it is no number
    out += line.dump() + "\n";
  }
  return out;
}

Page series_page(const std::string& title, const std::vector<SeriesPoint>& points) {
  std::vector<Chart> charts = benchmark_charts(records_of(points));
  Section curves{"Curves", {std::make_move_iterator(charts.begin()), std::make_move_iterator(charts.end())}};
  Table table{{"step", "task", "items", "score", "value", "standard error"}, {}};
  for (const SeriesPoint& point : points) {
    for (const BenchmarkScore& score : point.scores) {
      table.rows.push_back({std::to_string(point.step), score.task, std::to_string(score.items), score.score,
                            number_text(score.value), number_text(score.standard_error)});
    }
  }
  return {title, {std::move(curves), {"Scores", {std::move(table)}}}};
}

}  // namespace fathom::eval

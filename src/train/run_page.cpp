#include "train/run_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "train/benchmark_charts.h"
#include "train/metric_names.h"

namespace fathom {
namespace {

using Records = std::vector<MetricsRecord>;

constexpr const char *loss_title = "Loss", *held_out_title = "Held-out text";

// The series of `metric_name`, and of its sources ("bits_per_byte/wikipedia").
std::vector<Series> series_by_source(const Records& records, std::string_view metric_name) {
  std::vector<std::string> names;
  const std::string prefix = metric::of_source(metric_name, "");
  for (const MetricsRecord& record : records) {
    for (const auto& [key, value] : record.values) {
      const bool wanted = key == metric_name || key.starts_with(prefix);
      if (wanted && std::find(names.begin(), names.end(), key) == names.end()) names.push_back(key);
    }
  }
  std::vector<Series> all;
  for (const std::string& name : names) {
    all.push_back(
        series_of(records, name, name == metric_name ? "all" : name.substr(prefix.size())));
  }
  return all;
}

bool has(const Records& records, std::string_view metric_name) {
  return std::ranges::any_of(
      records, [&](const MetricsRecord& record) { return record.find(metric_name) != nullptr; });
}

std::vector<Series> repetition_series(const Records& records) {
  const std::string four_grams = fmt::format("{}_4", metric::repeated_ngrams);
  return {series_of(records, metric::repetition, "answers that never end and repeat"),
          series_of(records, metric::answers_ended, "answers that end"),
          series_of(records, four_grams, "repeated 4-grams")};
}

// The chart of the figure that the laws predict gets their curve.
void add_forecast(std::vector<SectionPart>& charts, const LossForecast& forecast,
                  const Records& records) {
  const bool loss = forecast.figure == LossForecast::Figure::loss;
  for (SectionPart& part : charts) {
    Chart& chart = std::get<Chart>(part);
    if (chart.title == (loss ? loss_title : held_out_title)) {
      std::ranges::move(forecast_series(forecast, records), std::back_inserter(chart.series));
    }
  }
}

// Where the mix of the data changed.
std::vector<ChartEvent> phase_events(const Records& records) {
  std::vector<ChartEvent> events;
  const double* before = nullptr;
  for (const MetricsRecord& record : records) {
    const double* const phase = record.find(metric::data_phase);
    if (!phase) continue;
    if (before && *phase > *before) {
      events.push_back(
          {fmt::format("data phase {:.0f}", *phase), static_cast<double>(record.step)});
    }
    before = phase;
  }
  return events;
}

Section curves(const Records& records, const std::optional<LossForecast>& forecast) {
  const auto one = [&](std::string_view metric_name, const char* name) {
    return std::vector{series_of(records, metric_name, name)};
  };
  constexpr auto linear = Axis::Scale::linear, logarithmic = Axis::Scale::logarithmic;
  Section section{"Curves", {}};
  section.parts = {
      chart_by_step(loss_title, {"loss", "nats per token", linear},
                    {series_of(records, metric::loss, "training"),
                     series_of(records, metric::validation_loss, "validation")}),
      chart_by_step(held_out_title, {"compression", "bits per byte", linear},
                    series_by_source(records, metric::bits_per_byte)),
      chart_by_step("Learning rate", {"learning rate", "", linear},
                    one(metric::learning_rate, "learning rate")),
      chart_by_step("Gradient norm", {"norm before clipping", "", logarithmic},
                    one(metric::gradient_norm, "gradient norm")),
      chart_by_step("Throughput", {"throughput", "tokens/s", linear},
                    one(metric::tokens_per_second, "tokens/s")),
      chart_by_step("Step time", {"step time", "s", linear},
                    one(metric::step_seconds, "step time")),
      chart_by_step("Repetition", {"share", "", linear}, repetition_series(records)),
  };
  if (forecast) add_forecast(section.parts, *forecast, records);
  constexpr int after_losses = 2;  // both charts that they are read beside
  std::vector<Chart> benchmarks = benchmark_charts(records);
  section.parts.insert(section.parts.begin() + after_losses,
                       std::make_move_iterator(benchmarks.begin()),
                       std::make_move_iterator(benchmarks.end()));
  const std::vector<ChartEvent> events = phase_events(records);
  for (SectionPart& part : section.parts) std::get<Chart>(part).events = events;
  if (!has(records, metric::targets_per_second)) return section;
  section.parts.push_back(chart_by_step("Learned tokens", {"learned", "tokens/s", linear},
                                        one(metric::targets_per_second, "tokens/s")));
  section.parts.push_back(chart_by_step("Padding", {"share of the computed tokens", "", linear},
                                        one(metric::padding_share, "padding")));
  return section;
}

constexpr std::size_t max_sample_points = 20;  // more are long on paper, and change little

// Of points that share a step the last: a run that was at its end already evaluates once more.
void keep_last_of_each_step(std::vector<SamplePoint>& points) {
  std::ranges::reverse(points);
  const auto repeated = std::ranges::unique(points, {}, &SamplePoint::step);
  points.erase(repeated.begin(), repeated.end());
}

constexpr std::size_t max_answers = 8;  // of a point; their file has all

// `file` has all points.
Section texts_section(const char* title, const char* file, std::vector<SamplePoint> points) {
  keep_last_of_each_step(points);
  Section section{title, {}};
  const std::size_t shown = std::min(points.size(), max_sample_points);
  if (shown > 0) {
    section.parts.push_back(
        Paragraph{"Prompts in bold, and how the model went on from them; newest first." +
                  (shown < points.size()
                       ? fmt::format(" {} of {} points: {} has all.", shown, points.size(), file)
                       : "")});
  }
  for (std::size_t i = 0; i < shown; ++i) {
    const SamplePoint& point = points[shown == 1 ? 0 : i * (points.size() - 1) / (shown - 1)];
    Continuations part{fmt::format("Step {}", point.step), {}, i == 0 ? Fold::open : Fold::closed};
    for (const TextSample& sample : point.samples)
      part.texts.push_back({sample.prompt, sample.text});
    section.parts.push_back(std::move(part));
  }
  return section;
}

Section answers_section(std::vector<SamplePoint> points) {
  for (SamplePoint& point : points) {
    point.samples.resize(std::min(max_answers, point.samples.size()));
  }
  return texts_section("Answers", "answers.jsonl", std::move(points));
}

}  // namespace

Page run_page(const RunSummary& run, const Records& records, std::vector<SamplePoint> samples,
              std::vector<SamplePoint> answers) {
  Page page{run.name, {{"", {Figures{run.figures}}}}};
  if (records.empty()) {
    page.sections.push_back({"", {Paragraph{"No step has been recorded yet."}}});
  }
  page.sections.push_back(curves(records, run.forecast));
  page.sections.push_back(texts_section("Samples", "samples.jsonl", std::move(samples)));
  page.sections.push_back(answers_section(std::move(answers)));
  page.sections.push_back({"Settings",
                           {Preformatted{"Data, as planned", run.reading},
                            Preformatted{"Memory, as planned", run.memory_table},
                            Preformatted{"Configuration", run.config_toml}}});
  return page;
}

}  // namespace fathom

#include "train/run_reports.h"

#include <filesystem>

#include "core/log.h"
#include "core/progress.h"
#include "io/json_object.h"
#include "text/utf8.h"
#include "train/metric_names.h"
#include "train/run_page.h"

namespace fathom {
namespace {

constexpr std::size_t shown_characters = 60;  // of a sample, in the log

std::string first_characters(const std::string& text, std::size_t count) {
  const char* end = text.data();
  for (; count > 0 && end < text.data() + text.size(); --count) utf8::next(end);
  const auto bytes = static_cast<std::size_t>(end - text.data());
  return bytes < text.size() ? text.substr(0, bytes) + "..." : text;
}

// As code, which shows every character as it is.
std::string as_markdown(const TextSample& sample) {
  std::string markdown = "    ";
  for (const char c : sample.prompt + sample.text) {
    markdown += c;
    if (c == '\n') markdown += "    ";
  }
  return markdown;
}

}  // namespace

RunReports::RunReports(const TrainPlan& plan, const Machine& machine, const RunPosition& from)
    : plan_(plan),
      machine_(machine),
      metrics_(path("metrics.jsonl"), from.steps),
      samples_(path("samples.jsonl"), from.steps),
      tensorboard_(path("tensorboard"), from.steps),
      display_(plan.last_step(from), plan.flops_per_token, machine.gemm_peak,
               plan.config.train.log_seconds) {}

void RunReports::step(const StepRecord& step) {
  const RunPosition& now = step.after;
  MetricsRecord record{now.steps, {}};
  record.add(metric::loss, step.result.loss);
  record.add(metric::gradient_norm, step.result.gradient_norm);
  for (const auto& [name, value] : step.figures.values) record.add(name, value);
  record.add(metric::learning_rate, step.learning_rate);
  record.add(metric::tokens, static_cast<double>(now.tokens));
  const double tokens_per_second = static_cast<double>(plan_.tokens_per_step) / step.seconds;
  record.add(metric::tokens_per_second, tokens_per_second);
  record.add(metric::share_of_peak, tokens_per_second * plan_.flops_per_token / machine_.gemm_peak);
  record.add(metric::step_seconds, step.seconds);
  record.add(metric::seconds, now.seconds);
  metrics_.write(record);
  tensorboard_.write(record);
  StepReport report;
  report.step = now.steps;
  report.loss = step.result.loss;
  report.gradient_norm = step.result.gradient_norm;
  report.learning_rate = step.learning_rate;
  report.tokens = plan_.tokens_per_step;
  report.seconds = step.seconds;
  report.progress = plan_.progress(now);
  report.skipped = step.skipped;
  if (report.progress > 0) report.seconds_left = now.seconds * (1 / report.progress - 1);
  display_.show(report);
}

void RunReports::validation(const MetricsRecord& record) {
  metrics_.write(record);
  tensorboard_.write(record);
  const double* const loss = record.find(metric::validation_loss);
  const double* const bits = record.find(metric::bits_per_byte);
  if (!loss || !bits) return;
  log::info("step {}: validation loss {:.4f}, {:.4f} bits per byte", record.step, *loss, *bits);
}

void RunReports::samples(const SamplePoint& point) {
  samples_.write(point);
  for (std::size_t i = 0; i < point.samples.size(); ++i) {
    tensorboard_.write_text(point.step, fmt::format("samples/{}", i + 1),
                            as_markdown(point.samples[i]));
  }
  const TextSample& sample = point.samples.front();
  log::info("step {}: {} goes on {}", point.step, json_quoted(sample.prompt),
            json_quoted(first_characters(sample.text, shown_characters)));
}

void RunReports::sync() {
  metrics_.sync();
  samples_.sync();
}

void RunReports::write_page(const RunPosition& end, const std::string& config_toml) const {
  RunSummary run;
  run.name = std::filesystem::path(plan_.config.output).filename().string();
  run.figures = {{"parameters", human_count(double(count_parameters(plan_.config.model)))},
                 {"tokens", human_count(double(end.tokens))},
                 {"time", human_seconds(end.seconds)}};
  run.config_toml = config_toml;
  run.memory_table = machine_.memory_table;
  fathom::write_page(path("report.html"), run_page(run, read_metrics(path("metrics.jsonl")),
                                                   read_samples(path("samples.jsonl"))));
}

}  // namespace fathom

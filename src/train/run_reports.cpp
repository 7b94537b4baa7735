#include "train/run_reports.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "checkpoint/checkpoint.h"
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

// Of a step whose rows are padded, or only partly learned.
void add_counts(MetricsRecord& record, const StepRecord& step, std::int64_t epoch_tokens) {
  if (!step.figures.counts) return;
  const TokenCounts& counts = *step.figures.counts;
  record.add(metric::targets, counts.targets);
  record.add(metric::targets_per_second, counts.targets / step.seconds);
  record.add(metric::padding_share, counts.padding / counts.tokens);
  record.add(metric::epoch,
             static_cast<double>(step.after.tokens) / static_cast<double>(epoch_tokens));
}

// How many phases have begun before the sample.
std::int64_t begun(const std::vector<PhaseBegin>& phases, std::int64_t sample) {
  return std::ranges::count_if(
      phases, [sample](const PhaseBegin& phase) { return phase.first_sample < sample; });
}

// "first, step 1200": the run's name and where it was.
std::string origin_of(const BranchState& branch) {
  const std::filesystem::path checkpoint = branch.checkpoint, directory = checkpoint.parent_path();
  const bool of_run = directory.filename() == "checkpoints";
  const std::filesystem::path name =
      of_run ? directory.parent_path().filename() : checkpoint.filename();
  return fmt::format("{}, step {}", name.string(), branch.step);
}

void warn(const std::string& text) {
  if (!text.empty()) log::warning("{}", text);
}

constexpr std::size_t answers_in_tensorboard = 8;

void add_repetition(MetricsRecord& record, const infer::RepetitionFigures& figures) {
  record.add(metric::repetition, figures.repeating);
  record.add(metric::answers_ended, figures.ended);
  record.add(metric::answer_tokens, figures.mean_length);
  for (std::size_t i = 0; i < figures.repeated_ngrams.size(); ++i) {
    record.add(fmt::format("{}_{}", metric::repeated_ngrams, i + 1), figures.repeated_ngrams[i]);
  }
}

}  // namespace

RunReports::RunReports(const TrainPlan& plan, const Machine& machine, const RunPosition& from,
                       std::string reading)
    : plan_(plan),
      machine_(machine),
      reading_(std::move(reading)),
      phases_(phase_begins(plan)),
      metrics_(path("metrics.jsonl"), from.steps),
      samples_(path("samples.jsonl"), from.steps),
      tensorboard_(path("tensorboard"), from.steps),
      display_(plan.last_step(from), plan.flops_per_token, machine.gemm_peak,
               plan.config.train.log_seconds),
      position_(from) {
  if (plan.forecast) watch_.emplace(*plan.forecast, plan.last_step(from));
  if (plan.config.repetition.enabled()) answers_.emplace(path("answers.jsonl"), from.steps);
}

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
  add_counts(record, step, plan_.epoch_tokens);
  add_phase(record, now);
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
  position_ = now;
  if (watch_) {
    warn(watch_->step(now.steps, double(now.tokens), report.progress, step.result.loss));
  }
}

void RunReports::add_phase(MetricsRecord& record, const RunPosition& now) const {
  if (phases_.empty()) return;
  const std::int64_t number = 1 + begun(phases_, now.next_sample);
  record.add(metric::data_phase, static_cast<double>(number));
  if (number > 1 + begun(phases_, position_.next_sample)) {
    log::info("step {}: phase {} of the data has begun", now.steps, number);
  }
}

void RunReports::validation(const MetricsRecord& record) {
  metrics_.write(record);
  tensorboard_.write(record);
  const double* const loss = record.find(metric::validation_loss);
  const double* const bits = record.find(metric::bits_per_byte);
  if (!loss || !bits) return;
  log::info("step {}: validation loss {:.4f}, {:.4f} bits per byte", record.step, *loss, *bits);
  if (watch_) {
    warn(watch_->validation(record.step, double(position_.tokens), plan_.progress(position_),
                            *bits));
  }
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

void RunReports::repetition(std::int64_t step, const RepetitionResult& result) {
  const infer::RepetitionFigures& figures = result.figures;
  MetricsRecord record{step, {}};
  add_repetition(record, figures);
  metrics_.write(record);
  tensorboard_.write(record);
  if (answers_) answers_->write({step, result.answers});
  for (std::size_t i = 0; i < std::min(answers_in_tensorboard, result.answers.size()); ++i) {
    tensorboard_.write_text(step, fmt::format("answers/{}", i + 1), as_markdown(result.answers[i]));
  }
  log::info(
      "step {}: of {} answers {:.1f} % never end and repeat, {:.1f} % end; {:.1f} tokens on "
      "average, "
      "{:.3f} of their 4-grams are repeated",
      step, figures.answers, 100 * figures.repeating, 100 * figures.ended, figures.mean_length,
      figures.repeated_ngrams.back());
}

void RunReports::benchmark(std::int64_t step, const BenchmarkScore& score) {
  const std::string name = metric::of_benchmark(score.task, score.score);
  MetricsRecord record{step, {}};
  record.add(name, score.value);
  record.add(name + std::string(metric::standard_error_suffix), score.standard_error);
  metrics_.write(record);
  tensorboard_.write({step, {record.values.front()}});
  const std::string error =
      std::isfinite(score.standard_error) ? fmt::format(" ± {:.4f}", score.standard_error) : "";
  log::info("step {}: {} {} {:.4f}{}, of {} items", step, score.task, score.score, score.value,
            error, score.items);
}

std::optional<MeasuredStep> RunReports::picked_checkpoint() const {
  const std::vector<std::int64_t> saved = checkpoint_steps(path("checkpoints"));
  return pick_checkpoint(measured_steps(read_metrics(path("metrics.jsonl")), saved),
                         plan_.config.repetition.limit);
}

void RunReports::recommend_checkpoint() const {
  if (!answers_) return;
  const auto picked = picked_checkpoint();
  if (!picked) return;
  const double limit = plan_.config.repetition.limit;
  log::info(
      "{}: of the checkpoints that were measured the one with the {}: validation loss {:.4f}, "
      "{:.1f} % of answers never end and repeat",
      path("checkpoints") + "/" + checkpoint_name(picked->step),
      picked->repetition <= limit
          ? fmt::format("lowest loss and repetition of at most {:.1f} %", 100 * limit)
          : fmt::format("lowest repetition, for none has {:.1f} % or less", 100 * limit),
      picked->validation_loss, 100 * picked->repetition);
}

void RunReports::sync() {
  metrics_.sync();
  samples_.sync();
  if (answers_) answers_->sync();
}

void RunReports::write_page(const RunPosition& end, const std::string& config_toml) const {
  RunSummary run;
  run.name = std::filesystem::path(plan_.config.output).filename().string();
  run.figures = {{"parameters", human_count(double(count_parameters(plan_.config.model)))},
                 {"tokens", human_count(double(end.tokens))},
                 {"time", human_seconds(end.seconds)}};
  if (plan_.branch) run.figures.emplace_back("continues", origin_of(*plan_.branch));
  run.config_toml = config_toml;
  run.memory_table = machine_.memory_table;
  run.reading = reading_;
  run.forecast = plan_.forecast;
  if (const auto picked = answers_ ? picked_checkpoint() : std::nullopt) {
    run.figures.emplace_back("checkpoint to use", checkpoint_name(picked->step));
  }
  const auto points = [this](const char* name) { return read_samples(path(name)); };
  fathom::write_page(path("report.html"),
                     run_page(run, read_metrics(path("metrics.jsonl")), points("samples.jsonl"),
                              answers_ ? points("answers.jsonl") : std::vector<SamplePoint>{}));
}

}  // namespace fathom

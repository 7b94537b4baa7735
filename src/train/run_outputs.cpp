#include "train/run_outputs.h"

#include "core/error.h"
#include "core/log.h"
#include "train/run_directory.h"

namespace fathom {

void RunOutputs::begin(const RunPosition& from) {
  if (!ranks_.first()) return;
  write_run_files(plan_, tokenizer_);
  reports_ = std::make_unique<RunReports>(plan_, machine_, from, reading_);
}

void RunOutputs::step(const StepRecord& step) {
  if (reports_) reports_->step(step);
}

void RunOutputs::validation(const MetricsRecord& record) {
  if (reports_) reports_->validation(record);
}

void RunOutputs::samples(const SamplePoint& point) {
  if (reports_) reports_->samples(point);
}

void RunOutputs::repetition(std::int64_t step, const RepetitionResult& result) {
  if (reports_) reports_->repetition(step, result);
}

void RunOutputs::benchmark(std::int64_t step, const BenchmarkScore& score) {
  if (reports_) reports_->benchmark(step, score);
}

void RunOutputs::sync() {
  if (reports_) reports_->sync();
}

void RunOutputs::end(const RunEnd& end) {
  const bool kept = plan_.config.checkpoint.enabled;
  if (!ranks_.alone() && kept && !end.saved.committed()) {
    fail_runtime("the model cannot be written without its checkpoint: {}", end.saved.error);
  }
  if (kept)
    write_final_model(plan_, tokenizer_, model_directory_, end.learner, ranks_, end.position.steps);
  if (!ranks_.first()) return;
  reports_->write_page(end.position, end.config_toml);
  reports_->recommend_checkpoint();
  if (!kept) {
    log::info("nothing was saved but the curves, in {}/report.html: checkpoint.enabled is false",
              plan_.config.output);
    return;
  }
  log::info(
      "the model is in {0}, the curves in {1}/report.html; try:\n"
      "  fathom generate {0} --prompt \"Once\"",
      model_directory_, plan_.config.output);
}

}  // namespace fathom

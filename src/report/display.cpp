#include "report/display.h"

#include <algorithm>

#include "core/log.h"
#include "core/progress.h"

namespace fathom {
namespace {

std::string bar(double progress) {
  constexpr int width = 20;
  const int filled = static_cast<int>(std::clamp(progress, 0.0, 1.0) * width);
  return "[" + std::string(filled, '=') + std::string(width - filled, ' ') + "] ";
}

}  // namespace

RunDisplay::~RunDisplay() {
  log::set_status("");
}

void RunDisplay::show(const StepReport& report) {
  constexpr double memory = 0.95;  // about 20 steps
  tokens_ = memory * tokens_ + static_cast<double>(report.tokens);
  seconds_ = memory * seconds_ + report.seconds;
  steps_ = memory * steps_ + 1;
  const auto now = Clock::now();
  const bool last = report.progress >= 1;
  if (now < next_draw_ && !last) return;
  const bool terminal = log::stderr_is_terminal();
  const double pause = terminal ? 0.1 : log_seconds_;
  next_draw_ =
      now + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(pause));
  if (terminal) log::set_status(bar(report.progress) + line(report));
  if (!terminal || last) log::write(log::Level::info, line(report));
}

std::string RunDisplay::line(const StepReport& report) const {
  std::string text = fmt::format("step {}", report.step);
  if (total_steps_ > 0) text += fmt::format("/{}", total_steps_);
  text += fmt::format("  loss {:.4f}  norm {:.3f}  lr {:.2e}  {} tok/s", report.loss,
                      report.gradient_norm, report.learning_rate, human_count(tokens_per_second()));
  if (peak_ > 0) text += fmt::format("  {:.0f} % of peak", 100 * share_of_peak());
  text += fmt::format("  {} left", human_seconds(report.seconds_left));
  return text + (report.skipped ? "  (skipped)" : "");
}

}  // namespace fathom

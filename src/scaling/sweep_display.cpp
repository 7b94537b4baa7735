#include "scaling/sweep_display.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/log.h"
#include "core/progress.h"

namespace fathom::scaling {
namespace {

constexpr std::chrono::milliseconds log_pause{30'000};

double flops_of_step(const SweepPlan& plan, const SweepRun& run) {
  return run.flops_per_token * static_cast<double>(run.tokens_per_step(plan.sequence_length));
}

bool ended(RunState state) {
  return state == RunState::done || state == RunState::failed;
}

}  // namespace

SweepDisplay::SweepDisplay(const SweepPlan& plan, std::vector<bool> own)
    : plan_(plan), own_(std::move(own)) {
  if (!log::stderr_is_terminal()) next_draw_ = start_ + log_pause;
}

SweepDisplay::~SweepDisplay() {
  log::set_status("");
}

void SweepDisplay::begin(std::size_t run, std::int64_t steps) {
  const std::lock_guard lock(mutex_);
  running_[run] = {steps, steps, 0};
}

void SweepDisplay::step(std::size_t run, std::int64_t steps, double loss) {
  const std::lock_guard lock(mutex_);
  running_[run].steps = steps;
  running_[run].loss = loss;
}

void SweepDisplay::end(std::size_t run) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(run);
  if (found == running_.end()) return;
  const Running& progress = found->second;
  trained_flops_ +=
      static_cast<double>(progress.steps - progress.from) * flops_of_step(plan_, plan_.runs[run]);
  running_.erase(found);
}

void SweepDisplay::tell(const std::string& line) {
  const std::lock_guard lock(mutex_);
  told_.push_back(line);
}

// By the FLOPs that this process has trained a second so far; 0: not known yet.
double SweepDisplay::seconds_left(const SweepQueue& queue) const {
  double trained = trained_flops_, left = 0;
  for (std::size_t i = 0; i < own_.size(); ++i) {
    if (!own_[i] || ended(queue.state(i))) continue;
    const SweepRun& run = plan_.runs[i];
    left += plan_.own_flops(run);
    const auto found = running_.find(i);
    if (found == running_.end()) continue;
    const Running& now = found->second;
    const double step = flops_of_step(plan_, run);
    trained += static_cast<double>(now.steps - now.from) * step;
    left -= static_cast<double>(now.steps - run.branch_step) * step;
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  return trained > 0 ? seconds * std::max(0.0, left) / trained : 0;
}

std::vector<std::string> SweepDisplay::lines(const SweepQueue& queue) {
  const std::lock_guard lock(mutex_);
  const auto all = static_cast<std::size_t>(std::ranges::count(own_, true));
  const std::size_t failed = queue.count(RunState::failed);
  std::string summary =
      fmt::format("{} of {} runs done, {} running, {} waiting", queue.count(RunState::done), all,
                  queue.count(RunState::running), queue.count(RunState::waiting));
  if (failed > 0) summary += fmt::format(", {} failed", failed);
  if (const double left = seconds_left(queue); left > 0) {
    summary += fmt::format(", {} left", human_seconds(left));
  }
  std::vector<std::string> lines{summary};
  std::size_t width = 0;
  for (const auto& [run, progress] : running_) width = std::max(width, plan_.runs[run].name.size());
  for (const auto& [run, progress] : running_) {
    std::string line = fmt::format("  {:<{}}  step {}/{}", plan_.runs[run].name, width,
                                   progress.steps, plan_.steps(plan_.runs[run]));
    if (progress.loss != 0) line += fmt::format("  loss {:.4f}", progress.loss);
    lines.push_back(std::move(line));
  }
  return lines;
}

void SweepDisplay::draw(const SweepQueue& queue) {
  std::vector<std::string> told;
  {
    const std::lock_guard lock(mutex_);
    told.swap(told_);
  }
  for (const std::string& line : told) log::write(log::Level::info, line);
  const auto now = Clock::now();
  if (now < next_draw_) return;
  const bool terminal = log::stderr_is_terminal();
  next_draw_ = now + (terminal ? std::chrono::milliseconds(200) : log_pause);
  if (terminal) return log::set_status(fmt::format("{}", fmt::join(lines(queue), "\n")));
  for (const std::string& line : lines(queue)) log::write(log::Level::info, line);
}

}  // namespace fathom::scaling

// The progress line of a run: a bar at the bottom of a terminal, or plain lines from time
// to time when the output is not a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace fathom {

// The figures of one step, for people and for metrics.jsonl.
struct StepReport {
  std::int64_t step = 0;  // steps done, this one included
  double loss = 0, gradient_norm = 0, learning_rate = 0;
  std::int64_t tokens = 0;  // read in this step
  double seconds = 0;       // from the step before to this one
  double progress = 0;      // done part of the run, [0, 1], after this step
  double seconds_left = 0;
  bool skipped = false;
};

class RunDisplay {
 public:
  // total_steps 0: unknown. peak: the device's FLOP/s, 100 % of which is full use.
  RunDisplay(std::int64_t total_steps, double flops_per_token, double peak, double log_seconds)
      : total_steps_(total_steps),
        flops_per_token_(flops_per_token),
        peak_(peak),
        log_seconds_(log_seconds) {}
  ~RunDisplay();
  RunDisplay(const RunDisplay&) = delete;
  RunDisplay& operator=(const RunDisplay&) = delete;

  void show(const StepReport& report);
  // These three are smoothed over recent steps.
  double tokens_per_second() const { return seconds_ > 0 ? tokens_ / seconds_ : 0; }
  double share_of_peak() const {
    return peak_ > 0 ? tokens_per_second() * flops_per_token_ / peak_ : 0;
  }
  double seconds_per_step() const { return steps_ > 0 ? seconds_ / steps_ : 0; }

 private:
  using Clock = std::chrono::steady_clock;
  std::string line(const StepReport& report) const;

  std::int64_t total_steps_;
  double flops_per_token_, peak_, log_seconds_;
  double tokens_ = 0, seconds_ = 0, steps_ = 0;  // exponentially fading sums
  Clock::time_point next_draw_{};
};

}  // namespace fathom

// The spike and NaN guard: looks at each step's loss and gradient norm before the
// weights change, and says whether they may.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fathom {

enum class GuardAction { skip, stop, ignore };
inline std::span<const std::string_view> enum_names(GuardAction) {
  static constexpr std::string_view names[] = {"skip", "stop", "ignore"};
  return names;
}

struct GuardConfig {
  GuardAction on_spike = GuardAction::ignore;
  GuardAction on_nan = GuardAction::skip;
  double sigma = 8;
  std::int64_t window = 100;
  std::int64_t warmup = 100;
  std::int64_t max_consecutive = 20;
};

template <class Visitor>
void visit_fields(GuardConfig& c, Visitor&& field) {
  field("on_spike", c.on_spike, "a loss far above its running mean: skip the step, stop, or go on");
  field("on_nan", c.on_nan, "a loss or gradient norm that is not finite (ignore: only reported)");
  field("sigma", c.sigma, "standard deviations above the running mean that make a spike");
  field("window", c.window, "steps over which the running mean forgets");
  field("warmup", c.warmup, "steps before spikes are looked for");
  field("max_consecutive", c.max_consecutive, "stop after so many skipped steps in a row");
}

// Throws an input Error that names the key.
void check(const GuardConfig& config);

class SpikeGuard {
 public:
  // With it a resumed run judges as the uninterrupted one would.
  struct State {
    double mean = 0, variance = 0;
    std::int64_t seen = 0;         // steps in the statistics
    std::int64_t skipped = 0;      // in the whole run
    std::int64_t consecutive = 0;  // just before the next step
  };
  enum class Finding { fine, spike, not_finite };
  struct Verdict {
    Finding finding = Finding::fine;
    GuardAction action = GuardAction::ignore;
    std::string message;  // empty when fine
  };

  explicit SpikeGuard(const GuardConfig& config) : config_(config) {}

  // Whether it may stop a step that a finite gradient would make. Otherwise the step may
  // be taken before it is judged: the optimizer leaves out what is not finite by itself.
  bool decides_updates() const {
    return config_.on_spike != GuardAction::ignore || config_.on_nan == GuardAction::stop;
  }

  // To be called once a step. Losses that are fine, or that are to be ignored and
  // finite, enter the statistics. `samples` names the step's data in the message.
  Verdict judge(std::int64_t step, double loss, double gradient_norm, std::string_view samples);

  // Before other data, of which its losses say nothing: what was skipped still counts.
  static State anew(const State& before) {
    State state;
    state.skipped = before.skipped;
    return state;
  }

  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  Finding classify(double loss, double gradient_norm) const;
  void learn(double loss);

  GuardConfig config_;
  State state_;
};

}  // namespace fathom

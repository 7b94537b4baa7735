// Learning-rate schedules: a pure function of how far the run is.
//
// multi_step is the report's (arXiv 2401.02954, section 2.3): after a linear
// warm-up the maximum, 1/√10 of it once 80 % of the tokens are processed, 10 %
// once 90 % are. It ends as low as cosine does, and a run can go on from the end
// of its first phase with other data or more tokens.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace fathom {

enum class ScheduleKind { multi_step, cosine, constant };
inline std::span<const std::string_view> enum_names(ScheduleKind) {
  static constexpr std::string_view names[] = {"multi_step", "cosine", "constant"};
  return names;
}

struct ScheduleConfig {
  ScheduleKind kind = ScheduleKind::multi_step;
  double peak = 3e-4;
  std::int64_t warmup_steps = 2000;
  double max_warmup = 0.05;
  std::vector<double> milestones = {0.8, 0.9};
  std::vector<double> factors = {0.31622776601683794, 0.1};
  double final_factor = 0.1;
};

template <class Visitor>
void visit_fields(ScheduleConfig& c, Visitor&& field) {
  field("kind", c.kind, "how the learning rate falls");
  field("peak", c.peak, "highest learning rate");
  field("warmup_steps", c.warmup_steps, "steps of linear warm-up");
  field("max_warmup", c.max_warmup, "longest warm-up as a share of the run: shortens short runs'");
  field("milestones", c.milestones, "multi_step: shares of the run at which the rate drops");
  field("factors", c.factors, "multi_step: shares of the peak from those points on");
  field("final_factor", c.final_factor, "cosine: share of the peak at the end");
}

// Throws an input Error that names the key.
void check(const ScheduleConfig& config);

// Shares of the peak; their product with it is the rate.
struct ScheduleFactors {
  double warmup = 1, decay = 1;
};
// Those of the step that follows `steps` finished ones, when `progress`, in [0, 1], of the run is
// done (tokens processed of those planned; of a run limited by time, the time).
ScheduleFactors schedule_factors(const ScheduleConfig& config, std::int64_t steps, double progress);
double learning_rate(const ScheduleConfig& config, const ScheduleFactors& factors);

// Milestones of multi_step that are passed when `progress` of the run is done; 0 for other kinds.
std::int64_t schedule_phase(const ScheduleConfig& config, double progress);

}  // namespace fathom

#include "train/checkpoint_choice.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "train/metric_names.h"

namespace fathom {

std::vector<MeasuredStep> measured_steps(std::span<const MetricsRecord> records,
                                         std::span<const std::int64_t> steps) {
  struct Found {
    double validation_loss = NAN, repetition = NAN;
  };
  std::map<std::int64_t, Found> found;
  for (const MetricsRecord& record : records) {
    const double* const loss = record.find(metric::validation_loss);
    const double* const repetition = record.find(metric::repetition);
    if (loss) found[record.step].validation_loss = *loss;
    if (repetition) found[record.step].repetition = *repetition;
  }
  std::vector<MeasuredStep> measured;
  for (const auto& [step, figures] : found) {
    const bool complete =
        std::isfinite(figures.validation_loss) && std::isfinite(figures.repetition);
    if (!complete || !std::ranges::binary_search(steps, step)) continue;
    measured.push_back({step, figures.validation_loss, figures.repetition});
  }
  return measured;
}

std::optional<MeasuredStep> pick_checkpoint(std::span<const MeasuredStep> steps, double limit) {
  if (steps.empty()) return std::nullopt;
  const auto order = [limit](const MeasuredStep& step) {
    const bool within = step.repetition <= limit;
    return std::tuple(!within, within ? 0 : step.repetition, step.validation_loss, -step.step);
  };
  return *std::ranges::min_element(steps, {}, order);
}

}  // namespace fathom

// PreferenceValidator: loss and rewards of held-out preference pairs. Data-parallel replicas share
// the rows.
#pragma once

#include <memory>

#include "align/preference_objective.h"
#include "train/validator.h"

namespace fathom {

class PreferenceValidator final : public Validator {
 public:
  // The values of `source` are number 1 of `reference`; null where the loss has none. `ranks`
  // outlives this.
  PreferenceValidator(const PreferenceLossConfig& config, std::shared_ptr<const PairSource> source,
                      std::shared_ptr<const PreferenceReference> reference,
                      std::int64_t micro_batch, const RankGroups& ranks)
      : config_(config),
        source_(std::move(source)),
        reference_(std::move(reference)),
        micro_batch_(micro_batch),
        ranks_(ranks) {}

  // Adds validation_loss, and the figures of a step (PreferenceObjective::prepare) with
  // "validation_" before their names.
  void run(const EvaluateBatch& evaluate, MetricsRecord& record) override;

 private:
  PreferenceLossConfig config_;
  std::shared_ptr<const PairSource> source_;
  std::shared_ptr<const PreferenceReference> reference_;
  std::int64_t micro_batch_;
  const RankGroups& ranks_;
};

}  // namespace fathom

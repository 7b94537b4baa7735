// What `fathom sft` minimises and validates: the mean of −log p over learned tokens.
#pragma once

#include <memory>

#include "align/sft_source.h"
#include "learn/objective.h"
#include "parallel/rank_groups.h"
#include "train/validator.h"

namespace fathom {

// The mean over the learned tokens of the whole step, however they are packed and shared out.
class SftObjective final : public Objective {
 public:
  std::string_view name() const override { return "sft"; }
  StepTerms prepare(std::span<Batch> batches) override;
};

// The mean loss of the learned tokens of held-out conversations. Replicas share the batches.
class SftValidator final : public Validator {
 public:
  // Takes `micro_batch` of the source's rows at once. `ranks` outlives the validator.
  SftValidator(std::shared_ptr<const SftSource> source, std::int64_t micro_batch,
               const RankGroups& ranks)
      : source_(std::move(source)), micro_batch_(micro_batch), ranks_(ranks) {}

  void run(const EvaluateBatch& evaluate, MetricsRecord& record) override;

 private:
  std::shared_ptr<const SftSource> source_;
  std::int64_t micro_batch_;
  const RankGroups& ranks_;
};

}  // namespace fathom

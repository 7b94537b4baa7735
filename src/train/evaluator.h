// Validation: loss and bits per byte on held-out text, overall and by source. Data-parallel
// replicas share the batches.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/validation.h"
#include "parallel/rank_groups.h"
#include "train/validator.h"

namespace fathom {

class Evaluator final : public Validator {
 public:
  // `ranks` outlives the evaluator.
  Evaluator(std::shared_ptr<const PreparedData> data, Validation validation,
            const RankGroups& ranks)
      : data_(std::move(data)), validation_(std::move(validation)), ranks_(ranks) {}

  // Over the whole held-out set: the mean loss of a target in nats, and bits per byte of the
  // text.
  void run(const EvaluateBatch& evaluate, MetricsRecord& record) override;

 private:
  // Sums of the losses in nats [sources], over this replica's batches, and over all replicas'.
  std::vector<double> own_sums(const EvaluateBatch& evaluate) const;
  std::vector<double> sums_of_all(const std::vector<double>& own) const;

  std::shared_ptr<const PreparedData> data_;
  Validation validation_;
  const RankGroups& ranks_;
};

}  // namespace fathom

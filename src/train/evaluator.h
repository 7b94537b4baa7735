// Validation: loss and bits per byte on held-out text, overall and by source. Data-parallel
// replicas share the batches.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/validation.h"
#include "learn/device_batch.h"
#include "learn/learner.h"
#include "report/metrics.h"

namespace fathom {

class Evaluator {
 public:
  // `validation` and `ranks` outlive the evaluator. Holds no batch of its own.
  Evaluator(std::shared_ptr<const PreparedData> data, const Validation& validation,
            const RankGroups& ranks)
      : data_(std::move(data)), validation_(validation), ranks_(ranks) {}

  struct Score {
    double loss = 0;           // mean nats a target
    double bits_per_byte = 0;  // of the source's text
  };
  // Runs over the whole held-out set and adds its figures to `record`, the same on every rank.
  // Collective.
  Score run(Learner& learner, DeviceBatch& memory, MetricsRecord& record) const;

 private:
  // Sums of the losses in nats [sources], over this replica's batches, and over all replicas'.
  std::vector<double> own_sums(Learner& learner, DeviceBatch& memory) const;
  std::vector<double> sums_of_all(const std::vector<double>& own) const;

  std::shared_ptr<const PreparedData> data_;
  const Validation& validation_;
  const RankGroups& ranks_;
};

}  // namespace fathom

// Validation: loss and bits per byte on held-out text, overall and by source.
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
  // `data` and `learner` outlive the evaluator. Holds no batch of its own.
  Evaluator(std::shared_ptr<const PreparedData> data, const Validation& validation)
      : data_(std::move(data)), validation_(validation) {}

  struct Score {
    double loss = 0;           // mean nats a target
    double bits_per_byte = 0;  // of the source's text
  };
  // Runs over the whole held-out set and adds its figures to `record`.
  Score run(Learner& learner, DeviceBatch& memory, MetricsRecord& record) const;

 private:
  std::shared_ptr<const PreparedData> data_;
  const Validation& validation_;
};

}  // namespace fathom

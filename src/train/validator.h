// Validator: measures the model during training, every so many steps and at the run's end.
#pragma once

#include "learn/objective.h"
#include "report/metrics.h"

namespace fathom {

class Validator {
 public:
  virtual ~Validator() = default;

  // Adds its figures to `record`, the same on every rank. A batch holds at most a
  // micro-batch's tokens. Collective.
  virtual void run(const EvaluateBatch& evaluate, MetricsRecord& record) = 0;
};

}  // namespace fathom

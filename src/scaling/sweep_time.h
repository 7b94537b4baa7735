// How long a sweep will take, before it is run.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "data/prepared.h"
#include "scaling/sweep_plan.h"
#include "train/runtime.h"

namespace fathom::scaling {

struct SweepTime {
  double seconds = 0;
  int jobs = 1;             // runs at a time
  std::string source;       // where the rate comes from
  std::string why_unknown;  // empty: it is known
  bool known() const { return why_unknown.empty(); }
};

// With a rate of `flops_per_second`, of each of `jobs` runs side by side, as if a run took nothing
// but its training FLOPs.
SweepTime time_by_rate(const SweepPlan& plan, double flops_per_second, int jobs);

// By measuring: each model trains a few steps alone on the sweep's device, through the same code as
// its runs, in a temporary directory below `dir`. Not known where that device is missing. `jobs` 0:
// usual_jobs().
SweepTime time_by_bench(const SweepPlan& plan, const SweepConfig& sweep, const std::string& dir,
                        const std::shared_ptr<const PreparedData>& data, Runtime& runtime,
                        int jobs);

}  // namespace fathom::scaling

// What `fathom scaling plan` and `fathom scaling run` tell about a sweep.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "scaling/results.h"
#include "scaling/sweep_plan.h"
#include "scaling/sweep_time.h"

namespace fathom::scaling {

// Training FLOPs of a sweep, head included.
struct SweepFlops {
  double without_trunks = 0, with_trunks = 0;
  // 0: nothing is shared.
  double saving() const { return without_trunks > 0 ? 1 - with_trunks / without_trunks : 0; }
};
SweepFlops sweep_flops(const SweepPlan& plan);

// The table of a plan: a row for each budget, the totals, trunks and their saving, time, and what
// to think about before it is run.
std::string to_text(const SweepPlan& plan, const SweepTime& time);
nlohmann::ordered_json to_json(const SweepPlan& plan, const SweepTime& time);

// "40 runs, 4 at a time; trunks save 25 % of 1.46e17 FLOPs". Runs that are not `own` are left out.
std::string part_text(const SweepPlan& plan, const std::vector<bool>& own, int jobs);

// "iso-c3.00e14-8x512-b32-r1.62e-3: loss 4.1234, 1.5678 bits per byte".
std::string result_text(const RunResult& result);

}  // namespace fathom::scaling

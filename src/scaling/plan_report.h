// What `fathom plan` prints.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>

#include "scaling/failures.h"
#include "scaling/layout_search.h"

namespace fathom::scaling {

struct PlanReport {
  PlannedRun run;
  const Cluster& cluster;
  std::span<const FoundLayout> layouts;  // the fastest first
  std::optional<FailureCost> failures;   // of the first layout
};

std::string plan_text(const PlanReport& report);
nlohmann::ordered_json plan_json(const PlanReport& report);

}  // namespace fathom::scaling

// What `fathom scaling hparams` and `fathom scaling allocate` print.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "scaling/allocation.h"
#include "scaling/hyperparameters.h"
#include "scaling/laws.h"

namespace fathom::scaling {

struct HyperparameterReport {
  double compute = 0;  // C in FLOPs
  std::int64_t sequence_length = 0;
  Hyperparameters values;
};

std::string to_text(const HyperparameterReport& report, const Laws& laws);
nlohmann::ordered_json to_json(const HyperparameterReport& report, const Laws& laws);

std::string to_text(const Allocation& allocation, const Laws& laws);
nlohmann::ordered_json to_json(const Allocation& allocation, const Laws& laws);

}  // namespace fathom::scaling

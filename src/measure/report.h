// What `fathom bench` prints.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "measure/measure.h"

namespace fathom::measure {

struct BenchResult {
  StepShape shape;
  Effort effort;
  StepTimes times;
  Ceilings ceilings;
  double peak = 0;  // FLOP/s that the device's maker states; 0: none given
};

nlohmann::ordered_json to_json(const BenchResult& result);
// The same as lines of text.
std::string to_text(const BenchResult& result);

}  // namespace fathom::measure

// The largest collectives that the layers and the optimizer of a step go through, by the group.
// GradientSync states those between the steps' gradients and weights itself.
#pragma once

#include "parallel/pipeline.h"

namespace fathom {

GroupCapacities step_capacities(const PipelineOptions& options);

}  // namespace fathom

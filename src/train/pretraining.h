// What `fathom train` gives its run: samples of prepared data, next-token prediction, and the
// held-out text as validation. `fathom verify` trains the same.
#pragma once

#include <memory>

#include "data/prepared.h"
#include "train/plan.h"
#include "train/run_parts.h"

namespace fathom {

// `ranks` outlives the parts. Throws an input Error when the data cannot give such samples.
RunParts pretraining(const TrainPlan& plan, const std::shared_ptr<const PreparedData>& data,
                     const RankGroups& ranks);

}  // namespace fathom

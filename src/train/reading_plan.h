// What a run will read of each source, known before its first step.
#pragma once

#include <string>
#include <vector>

#include "data/sampler.h"
#include "train/plan.h"

namespace fathom {

// The table of each phase of the data, and of the whole run where it has several or goes on from
// another one; for people. Without a limit in steps or tokens it has only shares where the end
// would have to be known.
std::string reading_plan(const TrainPlan& plan, const PreparedData& data, const Sampler& sampler);

// Throws an input Error that names the source when the run and those that it continues would read
// it more often than data.max_epochs, or the source's own, allows (by more than it reads in the
// last step, and a sequence); and when such a limit is given, but only time limits the run.
// Without a limit the text of a warning for each source that is read more than 4 times.
std::vector<std::string> check_repetition(const TrainPlan& plan, const PreparedData& data,
                                          const Sampler& sampler);

}  // namespace fathom

// The texts of benchmarks, which training data should not hold.
#pragma once

#include "data/clean/contamination.h"

namespace fathom::cli {

// All texts of the rows of the config's tasks: every string in them. Throws the Errors of reading
// a task's file and its rows.
clean::Contamination load_benchmarks(const clean::ContaminationConfig& config);

}  // namespace fathom::cli

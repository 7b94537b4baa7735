// The bounds of classifiers that keep a share of the documents. Internal to clean.
#pragma once

#include <cstdint>
#include <vector>

#include "data/clean/chunk.h"

namespace fathom::clean {

// The highest bound that at least the share `keep` of the scores is not below; 0 of no scores.
double bound_of(std::vector<double> scores, double keep);

// Sets `min` of each classifier with a `keep`, in the config and in `judges`. Bounds are measured
// on the 20000 documents of all sources whose places hash lowest, so they depend on the files, the
// config and the models alone; a share of 0.1 has a standard error of 0.002. `documents`: only the
// first ones of each source are read; 0: all. Nothing is read without a `keep`.
void set_bounds(CleanConfig& config, Judges& judges, int threads, std::int64_t documents = 0);

}  // namespace fathom::clean

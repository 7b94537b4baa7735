// The stages of data as `data clean`, `data prepare` and `data run` call them: with the benchmarks,
// the model and the tokenizer that their configs name.
#pragma once

#include <cstdint>

#include "data/clean/clean.h"
#include "data/prepare.h"

namespace fathom::cli {

// `documents`: of each source only so many are judged, and nothing is written; 0: all are cleaned.
clean::CleanReport run_clean(const clean::CleanConfig& config, std::int64_t documents = 0);

// Warns of sources of which nothing is held out.
PrepareReport run_prepare(const PrepareConfig& config, Overwrite overwrite);

}  // namespace fathom::cli

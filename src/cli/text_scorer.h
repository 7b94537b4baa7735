// Bits per byte by a language model of this machine, for `fathom data clean`.
#pragma once

#include <memory>

#include "data/clean/scores.h"
#include "data/clean/text_scorer.h"

namespace fathom::cli {

// Loads config.model. Throws the Errors of loading, and an input Error that names the key for a
// device that is not there, more tokens than the model's context has, and a tokenizer without a
// token that a document can begin behind.
std::unique_ptr<clean::TextScorer> open_text_scorer(const clean::PerplexityConfig& config);

}  // namespace fathom::cli

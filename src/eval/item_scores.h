// The scores of one item.
#pragma once

#include <map>
#include <string>

namespace fathom::eval {

// An item's part in a score, which is Σ values / Σ weights: a mean where all weights are 1. A
// perplexity's parts are a logarithm and what it is divided by.
struct Part {
  double value = 0, weight = 1;
};
// The name is the score's, and for generated text ",filter" behind it.
using ItemScores = std::map<std::string, Part>;

}  // namespace fathom::eval

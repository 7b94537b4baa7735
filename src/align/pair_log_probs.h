// Log-probabilities of the answers of preference pairs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "align/pair_source.h"
#include "comm/communicator.h"
#include "learn/objective.h"

namespace fathom {

// Of each answer the sum of its tokens' log-probabilities, in nats. Policy and reference are
// rounded to f32 alike, so that equal models have a difference of exactly 0.
struct PairLogProbs {
  float chosen = 0, rejected = 0;
};

// From the losses of the batch in which the pair was placed.
PairLogProbs log_probs_of(const PlacedPair& pair, std::span<const float> losses);

struct EvaluatePairs {
  std::int64_t micro_batch = 1;  // rows of a batch: those of a step give a step's bits
  std::string label;             // of the progress; empty: none is shown
};

// [pairs] of all pairs of the source, by the weights as they are. `replicas` (the ranks by dp)
// share the rows, and all get the same. Collective over all ranks.
std::vector<PairLogProbs> evaluate_pairs(const PairSource& source, const EvaluatePairs& options,
                                         const EvaluateBatch& evaluate, Communicator& replicas);

}  // namespace fathom

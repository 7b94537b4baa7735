// Log-probabilities of given tokens, for evaluation and for preference data. They are the
// negated per-token losses of Stage::evaluate, which also validates a training run.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/buffer.h"
#include "core/context.h"
#include "model/stage.h"

namespace fathom::infer {

struct ScorerOptions {
  // Tokens that the model reads in one pass, of one sequence or of several. A longer
  // sequence is read alone. Logits are in memory for StageOptions::logits_chunk tokens at
  // a time.
  std::int64_t max_tokens = 4096;
};

// Tokens to score; each is predicted from all tokens before it.
struct ScoreRequest {
  std::vector<std::int32_t> tokens;
  // The first token to score, at least 1: the model does not predict token 0.
  std::int64_t first = 1;
};

class Scorer {
 public:
  // `stage` holds the whole model and must outlive the scorer. Allocates memory for passes
  // of max_tokens; a longer sequence allocates more for the duration of its call.
  Scorer(const Stage& stage, Context& context, const ScorerOptions& options = {});

  // ln p of each request's tokens from `first` on, in the order of the requests. Before any
  // work, throws an input Error with the request's number for a request that has nothing to
  // score, more than one token beyond the context, or an id outside the vocabulary.
  std::vector<std::vector<float>> score(std::span<const ScoreRequest> requests);
  // Memory of the scorer between calls in bytes, without the weights.
  std::size_t bytes() const;

 private:
  // Memory of one pass: activations, inputs and losses.
  struct Memory {
    Arena arena;
    Buffer inputs, losses;
  };
  Memory take_memory(std::int64_t tokens) const;
  void check_request(const ScoreRequest& request, std::size_t index) const;
  // Runs requests[first, last) as one pass and appends their results.
  void run_pass(Memory& memory, std::span<const ScoreRequest> requests,
                std::vector<std::vector<float>>& results);

  const Stage& stage_;
  Context& context_;
  std::int64_t max_tokens_;
  Memory memory_;
};

}  // namespace fathom::infer

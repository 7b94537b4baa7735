// Log-probabilities of given tokens: what evaluation, and preference data without a
// learner, ask of a model. They are the negated per-token losses of Stage::evaluate,
// the function that validates a training run.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/buffer.h"
#include "core/context.h"
#include "model/stage.h"

namespace fathom::infer {

struct ScorerOptions {
  // Tokens that the model reads at once, of one sequence or of several side by side.
  // A longer sequence is read alone. Logits are in memory for StageOptions::logits_chunk
  // tokens at a time.
  std::int64_t max_tokens = 4096;
};

// Tokens to score, each given all before it.
struct ScoreRequest {
  std::vector<std::int32_t> tokens;
  // The first token that is scored. A model says nothing of token 0, so at least 1.
  std::int64_t first = 1;
};

class Scorer {
 public:
  // `stage` holds the whole model and outlives the scorer. Takes the memory of passes of
  // max_tokens; a longer sequence takes its own for the time of its call.
  Scorer(const Stage& stage, Context& context, const ScorerOptions& options = {});

  // ln p of each request's tokens from `first` on, in the order of the requests. Throws
  // an input Error that names the request by its number for one with nothing to score,
  // more tokens than the context and one more, or an id outside the vocabulary; nothing
  // is computed then.
  std::vector<std::vector<float>> score(std::span<const ScoreRequest> requests);
  // Bytes the scorer holds besides the weights, between calls.
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

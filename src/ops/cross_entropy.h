// Softmax cross-entropy over the vocabulary, in place: inside the operation bf16
// logits become f32, and their gradient is written over them, so that no f32
// copy of the logits exists.
#pragma once

#include <cstdint>

#include "core/context.h"

namespace fathom::ops {

enum class LogitsGradient {
  none,       // the logits stay as they are (evaluation)
  overwrite,  // the logits become d(Σ_i scale · weight_i · losses[i])/d(logits)
};

// How much each token's loss counts in the gradient. The losses themselves stay unweighted.
struct LossWeights {
  float scale = 1;
  Tensor per_token;  // [n] f32; absent: all 1

  // Of tokens first, first + 1, ..., first + count − 1.
  LossWeights slice(std::int64_t first, std::int64_t count) const {
    return {scale, per_token ? per_token.slice(first, count) : Tensor{}};
  }
};

// losses[i] = log Σ_j exp(logits[i, j]) − logits[i, targets[i]], or 0 where
// targets[i] is −1, whose row of gradients is 0 as well. logits: [n, V] f32 or
// bf16; targets: [n] i32; losses: [n] f32.
void cross_entropy(Context& context, Tensor logits, Tensor targets, LogitsGradient gradient,
                   const LossWeights& weights, Tensor losses);

// The same over a vocabulary that is split over the ranks of a group: this rank's columns are
// the tokens from `first_id` on. First each rank computes its part of the softmax,
//   part[0, i] = max_j logits[i, j]     part[1, i] = Σ_j exp(logits[i, j] − part[0, i])
//   part[2, i] = logits[i, targets[i] − first_id], or 0 where that is another rank's
// then with all parts [ranks, 3, n] every rank gets the losses, and overwrites its
// logits with their gradient. part, parts: f32.
void cross_entropy_part(Context& context, Tensor logits, Tensor targets, std::int64_t first_id,
                        Tensor part);
void cross_entropy_from_parts(Context& context, Tensor parts, Tensor logits, Tensor targets,
                              std::int64_t first_id, LogitsGradient gradient,
                              const LossWeights& weights, Tensor losses);

}  // namespace fathom::ops

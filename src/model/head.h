// The end of the model: final norm, output embedding, loss.
//
// The logits of all tokens are never in memory at once: tokens go through head
// and loss in chunks, and a chunk's backward follows its forward at once, so that
// the gradient can overwrite the logits.
#pragma once

#include <functional>

#include "model/boundary.h"
#include "model/norm.h"

namespace fathom {

// Sets the loss weights of a micro-batch from its losses [n] f32, on the head's device.
using WeighLosses = std::function<void(Tensor losses)>;

// Inputs of the loss besides the model's output.
struct LossTerms {
  Tensor targets;  // [n] i32, −1: not counted
  ops::LossWeights weights;
  // Called when the losses are known, before their gradient is computed; empty: the weights are
  // set already.
  WeighLosses weigh;
};

// Takes the logits of rows [first, first + logits.rows()) of those that were asked for.
using TakeLogits = std::function<void(std::int64_t first, Tensor logits)>;

class Head {
 public:
  struct Saved {
    Norm::Saved norm;
    Tensor dy;  // [n, d]: the loss's gradient at the norm's output
  };

  Head(const ModelConfig& config, ParameterStore& parameters, Boundary& boundary,
       std::int64_t chunk_tokens);

  // Computes the losses [n] f32 of a micro-batch and the gradient of their weighted sum up to
  // the norm's output, and adds to the output embedding's gradient. Where the losses are weighed
  // first, more tokens than a chunk holds go through the output embedding twice.
  Saved forward_loss(Context& context, Arena& arena, Tensor residual, Tensor delta,
                     const LossTerms& terms, Tensor losses) const;
  // dh [n, d]: overwritten with the gradient of the stream.
  void backward(Context& context, const Saved& saved, Tensor dh) const;

  // The losses alone.
  void evaluate(Context& context, Arena& arena, Tensor residual, Tensor delta, Tensor targets,
                Tensor losses) const;
  // The logits [rows, V] of the tokens whose numbers are in `rows` (host), on every
  // rank of the tensor group. Without rows the head computes nothing.
  void logits(Context& context, Arena& arena, Tensor residual, Tensor delta,
              std::span<const std::int32_t> rows, Tensor logits) const;
  // The same as many rows at a time as `memory` [m, V] holds. The next part overwrites it.
  void logits_in_parts(Context& context, Arena& arena, Tensor residual, Tensor delta,
                       std::span<const std::int32_t> rows, Tensor memory,
                       const TakeLogits& take) const;

 private:
  // The losses of x [n, d], the norm's output. Where the tokens are no more than a chunk,
  // `memory` [chunk, V] keeps their logits.
  void compute_losses(Context& context, Arena& arena, Tensor x, Tensor targets, Tensor memory,
                      Tensor losses) const;

  Norm norm_;
  Linear output_;
  Boundary& boundary_;
  std::int64_t chunk_tokens_;
};

}  // namespace fathom

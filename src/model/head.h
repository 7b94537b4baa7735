// The end of the model: final norm, output embedding, loss.
//
// The logits of all tokens are never in memory at once: tokens go through head
// and loss in chunks, and a chunk's backward follows its forward at once, so that
// the gradient can overwrite the logits.
#pragma once

#include "model/boundary.h"
#include "model/norm.h"

namespace fathom {

class Head {
 public:
  struct Saved {
    Norm::Saved norm;
    Tensor dy;  // [n, d]: the loss's gradient at the norm's output
  };

  Head(const ModelConfig& config, ParameterStore& parameters, Boundary& boundary,
       std::int64_t chunk_tokens);

  // Adds the losses of a micro-batch to `losses` [n] f32, and computes the
  // gradient of their weighted sum up to the norm's output; adds to the output embedding's
  // gradient. `stream` has residual and delta.
  Saved forward_loss(Context& context, Arena& arena, Tensor residual, Tensor delta, Tensor targets,
                     const ops::LossWeights& weights, Tensor losses) const;
  // dh [n, d]: overwritten with the gradient of the stream.
  void backward(Context& context, const Saved& saved, Tensor dh) const;

  // The losses alone.
  void evaluate(Context& context, Arena& arena, Tensor residual, Tensor delta, Tensor targets,
                Tensor losses) const;
  // The logits [rows, V] of the tokens whose numbers are in `rows` (host), on every
  // rank of the tensor group. Without rows the head computes nothing.
  void logits(Context& context, Arena& arena, Tensor residual, Tensor delta,
              std::span<const std::int32_t> rows, Tensor logits) const;

 private:
  Norm norm_;
  Linear output_;
  Boundary& boundary_;
  std::int64_t chunk_tokens_;
};

}  // namespace fathom

// Who is told when a stage comes to a layer: what moves weights and gradients between the
// ranks while the stage computes hangs on it (parallel/gradient_sync.h).
#pragma once

#include <cstdint>

#include "core/context.h"

namespace fathom {

// Layers are numbered as in ParameterSpec: −1 the embedding, num_layers the final norm
// and the head.
class LayerObserver {
 public:
  virtual ~LayerObserver() = default;
  // The layer's weights are about to be read for a forward.
  virtual void before_forward(Context& context, std::int64_t layer) = 0;
  // The backward has passed the layer.
  virtual void after_backward(Context& context, std::int64_t layer) = 0;
};

}  // namespace fathom

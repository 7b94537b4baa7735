// How the tokens of one forward pass are laid out: the same for every layer.
#pragma once

#include "ops/attention.h"

namespace fathom {

// The paged keys and values of one layer, [pages, page_size, kv_width] each.
struct KvCacheLayer {
  Tensor k, v;
};

// Tensors are on the model's device.
struct TokenLayout {
  Tensor positions;        // [n] i32: place of each token, for the rotary embedding
  ops::Segments segments;  // training and scoring: who attends to whom

  // Generation: keys and values go to and come from a cache instead.
  const KvCacheLayer* cache = nullptr;  // one entry a layer of the stage
  Tensor slots;                         // [n] i32: cache row of each token
  ops::PagedContext paged;
};

}  // namespace fathom

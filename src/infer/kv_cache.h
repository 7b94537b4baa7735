// The memory of the paged keys and values of all layers.
#pragma once

#include <cstdint>
#include <vector>

#include "core/buffer.h"
#include "model/config.h"
#include "model/token_layout.h"

namespace fathom::infer {

class KvCache {
 public:
  // One allocation; see page_bytes().
  KvCache(const ModelConfig& config, DType dtype, std::int64_t pages, std::int64_t page_size,
          Device device);

  // Bytes of one page: keys and values of `page_size` tokens in every layer.
  static std::size_t page_bytes(const ModelConfig& config, DType dtype, std::int64_t page_size);

  // Pages that `tokens` of one sequence fill, the last one perhaps in part.
  static std::int64_t pages_for(std::int64_t tokens, std::int64_t page_size) {
    return (tokens + page_size - 1) / page_size;
  }

  // One entry per layer, for TokenLayout::cache.
  const KvCacheLayer* layers() const { return layers_.data(); }
  std::size_t bytes() const { return memory_.bytes(); }

 private:
  Buffer memory_;
  std::vector<KvCacheLayer> layers_;
};

}  // namespace fathom::infer

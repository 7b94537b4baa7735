#include "infer/kv_cache.h"

namespace fathom::infer {

std::size_t KvCache::page_bytes(const ModelConfig& config, DType dtype, std::int64_t page_size) {
  return static_cast<std::size_t>(config.num_layers * 2 * page_size * config.kv_width()) *
         size_of(dtype);
}

KvCache::KvCache(const ModelConfig& config, DType dtype, std::int64_t pages, std::int64_t page_size,
                 Device device)
    : memory_(device, page_bytes(config, dtype, page_size) * static_cast<std::size_t>(pages)) {
  const Shape shape{pages, page_size, config.kv_width()};
  const std::size_t bytes = static_cast<std::size_t>(shape.elements()) * size_of(dtype);
  for (std::int64_t layer = 0; layer < config.num_layers; ++layer) {
    const std::size_t at = 2 * static_cast<std::size_t>(layer) * bytes;
    layers_.push_back({memory_.tensor(dtype, shape, at), memory_.tensor(dtype, shape, at + bytes)});
  }
}

}  // namespace fathom::infer

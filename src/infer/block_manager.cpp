#include "infer/block_manager.h"

#include "core/error.h"

namespace fathom::infer {

BlockManager::BlockManager(std::int64_t pages, std::int64_t page_size)
    : page_size_(page_size), taken_(static_cast<std::size_t>(pages), false) {
  require(pages > 0 && page_size > 0, "a KV cache of {} pages of {} tokens", pages, page_size);
  for (std::int64_t page = pages; page-- > 0;) free_.push_back(static_cast<std::int32_t>(page));
}

bool BlockManager::grow(BlockTable& table, std::int64_t tokens) {
  const std::int64_t missing = pages_for(tokens) - static_cast<std::int64_t>(table.size());
  if (missing > free_pages()) return false;
  for (std::int64_t i = 0; i < missing; ++i) {
    const std::int32_t page = free_.back();
    free_.pop_back();
    taken_[static_cast<std::size_t>(page)] = true;
    table.push_back(page);
  }
  return true;
}

void BlockManager::release(BlockTable& table) {
  // From the last to the first, so that the next sequence gets them in order.
  for (std::size_t i = table.size(); i-- > 0;) {
    const auto page = static_cast<std::size_t>(table[i]);
    require(page < taken_.size() && taken_[page], "page {} of the KV cache is not in use",
            table[i]);
    taken_[page] = false;
    free_.push_back(table[i]);
  }
  table.clear();
}

}  // namespace fathom::infer

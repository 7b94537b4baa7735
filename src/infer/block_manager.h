// Keeps track of the pages of the KV cache: which are free, and which belong to a
// sequence. KvCache owns the memory itself.
#pragma once

#include <cstdint>
#include <vector>

namespace fathom::infer {

// Page numbers of one sequence in the order of its tokens: token t is in page
// table[t / page_size], row t % page_size.
using BlockTable = std::vector<std::int32_t>;

class BlockManager {
 public:
  BlockManager(std::int64_t pages, std::int64_t page_size);

  std::int64_t page_size() const { return page_size_; }
  std::int64_t total_pages() const { return static_cast<std::int64_t>(taken_.size()); }
  std::int64_t free_pages() const { return static_cast<std::int64_t>(free_.size()); }
  // Pages that hold `tokens` tokens.
  std::int64_t pages_for(std::int64_t tokens) const {
    return (tokens + page_size_ - 1) / page_size_;
  }

  // Extends `table` until it holds `tokens` tokens. False, with nothing changed,
  // when there are not enough free pages.
  bool grow(BlockTable& table, std::int64_t tokens);
  // Frees all pages of `table` and empties it. Throws a run-time Error for a page that is
  // free already.
  void release(BlockTable& table);

 private:
  std::int64_t page_size_;
  std::vector<std::int32_t> free_;  // a stack: the page used last is the likeliest in cache
  std::vector<bool> taken_;
};

}  // namespace fathom::infer

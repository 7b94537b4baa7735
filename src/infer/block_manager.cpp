#include "infer/block_manager.h"

#include <utility>

#include "core/error.h"

namespace fathom::infer {

BlockManager::BlockManager(std::int64_t pages, std::int64_t page_size)
    : page_size_(page_size), pages_(static_cast<std::size_t>(pages)) {
  require(pages > 0 && page_size > 0, "a KV cache of {} pages of {} tokens", pages, page_size);
  for (std::int64_t page = pages; page-- > 0;) free_.push_back(static_cast<std::int32_t>(page));
}

std::int32_t BlockManager::take_free() {
  if (free_.empty()) {
    const auto oldest = unheld_.begin();
    free_.push_back(oldest->second);
    index_.forget(std::exchange(page(oldest->second).content, 0));
    unheld_.erase(oldest);
  }
  const std::int32_t number = free_.back();
  free_.pop_back();
  return number;
}

void BlockManager::hold(std::int32_t number) {
  Page& held = page(number);
  if (held.holders++ == 0 && held.content != 0) unheld_.erase(held.released);
}

void BlockManager::give_up(std::int32_t number) {
  require(number >= 0 && number < total_pages() && page(number).holders > 0,
          "page {} of the KV cache is not in use", number);
  Page& given = page(number);
  if (--given.holders > 0) return;
  if (index_.is_known(given.content, number)) {
    given.released = releases_++;
    unheld_.emplace(given.released, number);
  } else {
    given.content = 0;
    free_.push_back(number);
  }
}

bool BlockManager::grow(BlockTable& table, std::int64_t tokens) {
  const std::int64_t missing = pages_for(tokens) - std::ssize(table);
  if (missing > free_pages()) return false;
  for (std::int64_t i = 0; i < missing; ++i) {
    table.push_back(take_free());
    hold(table.back());
  }
  return true;
}

void BlockManager::release(BlockTable& table) {
  // From the last to the first, so that the next sequence gets them in order.
  for (std::size_t i = table.size(); i-- > 0;) give_up(table[i]);
  table.clear();
}

std::span<const std::int32_t> BlockManager::block(std::span<const std::int32_t> tokens,
                                                  std::size_t i) const {
  const auto size = static_cast<std::size_t>(page_size_);
  return tokens.subspan(i * size, size);
}

std::int64_t BlockManager::take_known(BlockTable& table, std::span<const std::int32_t> tokens) {
  const auto most = static_cast<std::size_t>((std::ssize(tokens) - 1) / page_size_);
  PrefixIndex::Content before = 0;
  for (std::size_t i = 0; i < most; ++i) {
    const auto found = index_.find(before, block(tokens, i));
    if (!found) break;
    hold(found->page);
    table.push_back(found->page);
    before = found->content;
  }
  return std::ssize(table) * page_size_;
}

void BlockManager::make_known(const BlockTable& table, std::span<const std::int32_t> tokens,
                              std::int64_t count) {
  const auto full = static_cast<std::size_t>(count / page_size_);
  std::size_t first = full;
  while (first > 0 && page(table[first - 1]).content == 0) --first;
  for (std::size_t i = first; i < full; ++i) {
    const PrefixIndex::Content before = i == 0 ? 0 : page(table[i - 1]).content;
    page(table[i]).content = index_.add(before, block(tokens, i), table[i]);
  }
}

void BlockManager::forget_contents() {
  index_.clear();
  for (const auto& [released, number] : unheld_) free_.push_back(number);
  unheld_.clear();
  for (Page& each : pages_) each.content = 0;
}

}  // namespace fathom::infer

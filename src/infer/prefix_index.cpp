#include "infer/prefix_index.h"

namespace fathom::infer {

// FNV-1a over whole numbers.
std::size_t PrefixIndex::Hash::operator()(const Key& key) const {
  std::uint64_t hash = 0xcbf29ce484222325ull ^ key.before;
  for (const std::int32_t token : key.tokens) {
    hash = (hash ^ static_cast<std::uint32_t>(token)) * 0x100000001b3ull;
  }
  return hash ^ (hash >> 29);
}

std::optional<PrefixIndex::Entry> PrefixIndex::find(Content before,
                                                    std::span<const std::int32_t> tokens) const {
  const auto found = entries_.find(Key{before, {tokens.begin(), tokens.end()}});
  if (found == entries_.end()) return std::nullopt;
  return found->second;
}

PrefixIndex::Content PrefixIndex::add(Content before, std::span<const std::int32_t> tokens,
                                      std::int32_t page) {
  const auto [at, is_new] =
      entries_.try_emplace(Key{before, {tokens.begin(), tokens.end()}}, Entry{last_ + 1, page});
  if (is_new) by_content_.emplace(++last_, at);
  return at->second.content;
}

bool PrefixIndex::is_known(Content content, std::int32_t page) const {
  const auto found = by_content_.find(content);
  return found != by_content_.end() && found->second->second.page == page;
}

void PrefixIndex::forget(Content content) {
  const auto found = by_content_.find(content);
  if (found == by_content_.end()) return;
  entries_.erase(found->second);
  by_content_.erase(found);
}

void PrefixIndex::clear() {
  entries_.clear();
  by_content_.clear();
}

}  // namespace fathom::infer

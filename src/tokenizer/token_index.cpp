#include "tokenizer/token_index.h"

#include <xxhash.h>

#include <bit>

namespace fathom::tokenizer {
namespace {

std::uint64_t hash_of(std::string_view text) {
  return XXH3_64bits(text.data(), text.size());
}

std::uint32_t upper_half(std::uint64_t hash) {
  return static_cast<std::uint32_t>(hash >> 32);
}

}  // namespace

TokenIndex::TokenIndex(std::span<const std::string> tokens)
    : tokens_(tokens), slots_(std::bit_ceil(2 * tokens.size() + 2)) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].empty()) continue;
    const std::uint64_t hash = hash_of(tokens[i]);
    const auto id = static_cast<std::int32_t>(i);
    Slot& slot = slots_[slot_of(tokens[i], hash)];
    if (slot.id < 0) {
      slot = {upper_half(hash), id};
    } else if (!alike_) {
      alike_ = Alike{slot.id, id};
    }
  }
}

std::size_t TokenIndex::slot_of(std::string_view token, std::uint64_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.id < 0) return at;
    if (slot.hash == upper_half(hash) && tokens_[static_cast<std::size_t>(slot.id)] == token) {
      return at;
    }
  }
}

std::optional<std::int32_t> TokenIndex::find(std::string_view token) const {
  if (slots_.empty()) return std::nullopt;
  const Slot& slot = slots_[slot_of(token, hash_of(token))];
  if (slot.id < 0) return std::nullopt;
  return slot.id;
}

}  // namespace fathom::tokenizer

#include "tokenizer/piece_counter.h"

#include <xxhash.h>

#include <utility>

namespace fathom::tokenizer {

void PieceCounter::add(std::string_view piece, std::uint64_t count) {
  const std::uint64_t hash = XXH3_64bits(piece.data(), piece.size());
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = (hash >> 20) & mask;
  for (; slots_[at].count > 0; at = (at + 1) & mask) {
    Slot& slot = slots_[at];
    if (slot.hash == hash && slot.size == piece.size() && view(slot) == piece) {
      slot.count += count;
      return;
    }
  }
  slots_[at] = {hash, text_.size(), count, static_cast<std::uint32_t>(piece.size())};
  text_ += piece;
  if (++used_ * 2 > slots_.size()) grow();
}

void PieceCounter::grow() {
  const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.size() * 2));
  const std::size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.count == 0) continue;
    std::size_t at = (slot.hash >> 20) & mask;
    while (slots_[at].count > 0) at = (at + 1) & mask;
    slots_[at] = slot;
  }
}

void PieceCounter::prune(std::uint64_t least) {
  PieceCounter kept;
  for_each([&](std::string_view piece, std::uint64_t count) {
    if (count >= least) kept.add(piece, count);
  });
  *this = std::move(kept);
}

}  // namespace fathom::tokenizer

#include "tokenizer/piece_counter.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "core/parallel.h"

namespace fathom::tokenizer {

void PieceCounter::add(std::string_view piece, std::uint64_t count) {
  const std::uint64_t hash = XXH3_64bits(piece.data(), piece.size());
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = (hash >> 20) & mask;
  for (; slots_[at].count > 0; at = (at + 1) & mask) {
    Slot& slot = slots_[at];
    if (slot.hash == hash && view(slot) == piece) {
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

void PieceTable::add(std::span<const PieceCounter> counters) {
  const auto for_each_part = [&](auto&& work) {
    parallel_for(static_cast<std::int64_t>(num_parts), 1, [&](auto begin, auto end) {
      for (auto part = begin; part < end; ++part) work(static_cast<std::size_t>(part));
    });
  };
  for_each_part([&](std::size_t part) {
    for (const PieceCounter& counter : counters) {
      counter.for_each(
          [&](std::string_view piece, std::uint64_t count) { parts_[part].add(piece, count); },
          part, num_parts);
    }
  });
  if (memory() <= max_memory_) return;
  // A quarter below the bound, so that not every round has to prune.
  for (std::uint64_t least = 2; memory() > max_memory_ / 4 * 3; ++least) {
    for_each_part([&](std::size_t part) { parts_[part].prune(least); });
    pruned_below_ = std::max(pruned_below_, least);
  }
}

std::size_t PieceTable::memory() const {
  std::size_t bytes = 0;
  for (const PieceCounter& part : parts_) bytes += part.memory();
  return bytes;
}

}  // namespace fathom::tokenizer

// Counts how often each piece occurs. Training sees these counts, not the text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tokenizer {

class PieceCounter {
 public:
  PieceCounter() : slots_(1 << 12) {}

  void add(std::string_view piece, std::uint64_t count = 1);
  std::size_t size() const { return used_; }
  // Bytes of memory in use, without the string's spare capacity: depends on the pieces
  // alone, not on their order.
  std::size_t memory() const { return slots_.size() * sizeof(Slot) + text_.size(); }

  // f(piece, count) for each piece whose hash falls into `part` of `parts`.
  template <class F>
  void for_each(F&& f, std::size_t part = 0, std::size_t parts = 1) const {
    for (const Slot& slot : slots_) {
      if (slot.count > 0 && slot.hash % parts == part) f(view(slot), slot.count);
    }
  }
  // Forgets pieces seen fewer than `least` times.
  void prune(std::uint64_t least);

 private:
  struct Slot {
    std::uint64_t hash = 0, offset = 0, count = 0;
    std::uint32_t size = 0;
  };
  std::string_view view(const Slot& slot) const {
    return std::string_view(text_).substr(slot.offset, slot.size);
  }
  void grow();

  std::vector<Slot> slots_;  // open addressing; a count of 0 is free
  std::string text_;
  std::size_t used_ = 0;
};

// Counts in bounded memory. Counters are added in rounds; while the table is larger than
// its bound after a round, it forgets the pieces seen once so far, then those seen twice,
// and so on. The result depends on the pieces of each round, not on how they were divided
// among counters or threads.
class PieceTable {
 public:
  explicit PieceTable(std::size_t max_memory) : max_memory_(max_memory), parts_(num_parts) {}

  // Adds a round's counters, on all threads.
  void add(std::span<const PieceCounter> counters);

  // Disjoint parts of the pieces.
  std::span<const PieceCounter> parts() const { return parts_; }
  std::size_t memory() const;
  // Pieces seen fewer times than this were forgotten at least once; 0: none were.
  std::uint64_t pruned_below() const { return pruned_below_; }

 private:
  static constexpr std::size_t num_parts = 16;  // whatever the number of threads

  std::size_t max_memory_;
  std::vector<PieceCounter> parts_;  // a piece's hash selects its part
  std::uint64_t pruned_below_ = 0;
};

}  // namespace fathom::tokenizer

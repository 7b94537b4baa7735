// Counts how often each piece occurs: what training sees of its text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tokenizer {

class PieceCounter {
 public:
  PieceCounter() : slots_(1 << 12) {}

  void add(std::string_view piece, std::uint64_t count = 1);
  std::size_t size() const { return used_; }
  // Bytes of memory in use.
  std::size_t memory() const { return slots_.size() * sizeof(Slot) + text_.capacity(); }

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

}  // namespace fathom::tokenizer

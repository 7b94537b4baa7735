// Maps each pair of tokens that merges to its rank. Encoding spends most of its time here.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace fathom::tokenizer {

// Left and right id and the merge's rank share one 64-bit word (21 + 21 + 22
// bits), so that the table of a 100k vocabulary is 2 MB and stays in the cache.
class PairMap {
 public:
  static constexpr std::uint32_t max_ids = 1u << 21;
  static constexpr std::uint32_t max_rank = (1u << 22) - 1;
  static constexpr std::uint32_t none = max_rank;

  explicit PairMap(std::size_t pairs = 0) {
    const std::size_t slots = std::bit_ceil(2 * pairs + 2);
    shift_ = 64 - std::countr_zero(slots);
    mask_ = slots - 1;
    slots_.assign(slots, ~std::uint64_t{0});
  }

  // Sets the rank of a pair, also of one inserted before.
  void insert(std::uint32_t left, std::uint32_t right, std::uint32_t rank) {
    const std::uint64_t key = make_key(left, right);
    std::size_t slot = start(key);
    while (slots_[slot] != ~std::uint64_t{0} && slots_[slot] >> 22 != key) {
      slot = (slot + 1) & mask_;
    }
    slots_[slot] = key << 22 | rank;
  }

  // The pair's rank; `none` when it does not merge.
  std::uint32_t rank(std::uint32_t left, std::uint32_t right) const {
    const std::uint64_t key = make_key(left, right);
    for (std::size_t slot = start(key);; slot = (slot + 1) & mask_) {
      const std::uint64_t entry = slots_[slot];
      if (entry >> 22 == key) return static_cast<std::uint32_t>(entry & max_rank);
      if (entry == ~std::uint64_t{0}) return none;
    }
  }

 private:
  static std::uint64_t make_key(std::uint32_t left, std::uint32_t right) {
    return static_cast<std::uint64_t>(left) << 21 | right;
  }
  std::size_t start(std::uint64_t key) const {
    return static_cast<std::size_t>(key * 0x9e3779b97f4a7c15u >> shift_);
  }

  std::vector<std::uint64_t> slots_;
  std::size_t mask_ = 0;
  int shift_ = 0;
};

}  // namespace fathom::tokenizer

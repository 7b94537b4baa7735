// A pseudo-random permutation of [0, size) that needs no memory.
#pragma once

#include <cstdint>

#include "core/philox.h"

namespace fathom {

// A balanced Feistel network (Luby and Rackoff 1988, with Philox as its round
// function) permutes the next power of 4; numbers that fall outside [0, size) are
// permuted again until they fall inside (cycle walking, Black and Rogaway 2002:
// at most 4 tries on average). Pure: the same key gives the same permutation.
class Permutation {
 public:
  Permutation(std::int64_t size, std::uint64_t key, std::uint64_t stream)
      : size_(static_cast<std::uint64_t>(size)), philox_{key, stream} {
    while ((std::uint64_t{1} << (2 * half_bits_)) < size_) ++half_bits_;
  }

  std::int64_t operator()(std::int64_t index) const {
    auto x = static_cast<std::uint64_t>(index);
    do {
      x = permute_block(x);
    } while (x >= size_);
    return static_cast<std::int64_t>(x);
  }

 private:
  static constexpr std::uint64_t rounds = 6;

  std::uint64_t permute_block(std::uint64_t x) const {
    const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
    std::uint64_t left = x >> half_bits_, right = x & mask;
    for (std::uint64_t round = 0; round < rounds; ++round) {
      const std::uint64_t mixed = left ^ (philox_.bits((round << 32) | right) & mask);
      left = right;
      right = mixed;
    }
    return (left << half_bits_) | right;
  }

  std::uint64_t size_;
  int half_bits_ = 1;
  Philox philox_;
};

}  // namespace fathom

#include "eval/python_random.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <unordered_set>

#include "core/error.h"

namespace fathom::eval {

PythonRandom::PythonRandom(std::uint64_t seed) {
  state_[0] = 19650218;
  for (std::uint32_t i = 1; i < length; ++i) {
    state_[i] = 1812433253U * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
  }
  // The seed's words, the lowest first.
  std::vector<std::uint32_t> key{static_cast<std::uint32_t>(seed)};
  if (seed >> 32) key.push_back(static_cast<std::uint32_t>(seed >> 32));
  std::size_t i = 1;
  const auto advance = [&] {
    if (++i == length) {
      state_[0] = state_[length - 1];
      i = 1;
    }
  };
  for (std::size_t k = 0; k < std::max(length, key.size()); ++k) {
    const std::size_t j = k % key.size();
    state_[i] = (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * 1664525U)) + key[j] +
                static_cast<std::uint32_t>(j);
    advance();
  }
  for (std::size_t k = 1; k < length; ++k) {
    state_[i] = (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * 1566083941U)) -
                static_cast<std::uint32_t>(i);
    advance();
  }
  state_[0] = 0x80000000U;
}

void PythonRandom::twist() {
  for (std::size_t i = 0; i < length; ++i) {
    const std::uint32_t y = (state_[i] & 0x80000000U) | (state_[(i + 1) % length] & 0x7fffffffU);
    state_[i] = state_[(i + 397) % length] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfU : 0);
  }
  at_ = 0;
}

std::uint32_t PythonRandom::next() {
  if (at_ == length) twist();
  std::uint32_t y = state_[at_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680U;
  y ^= (y << 15) & 0xefc60000U;
  return y ^ (y >> 18);
}

std::uint32_t PythonRandom::below(std::uint32_t count) {
  const int bits = std::bit_width(count);
  std::uint32_t drawn = next() >> (32 - bits);
  while (drawn >= count) drawn = next() >> (32 - bits);
  return drawn;
}

std::vector<std::size_t> PythonRandom::sample(std::size_t size, std::size_t count) {
  require(count <= size && size < (std::size_t{1} << 32), "a sample of {} from {}", count, size);
  std::vector<std::size_t> drawn;
  // CPython copies a population that is small beside a set of the drawn ones.
  std::size_t set_size = 21;
  if (count > 5) {
    std::size_t power = 1;
    while (power < 3 * count) power *= 4;
    set_size += power;
  }
  if (size <= set_size) {
    std::vector<std::size_t> pool(size);
    std::iota(pool.begin(), pool.end(), std::size_t{0});
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t j = below(static_cast<std::uint32_t>(size - i));
      drawn.push_back(pool[j]);
      pool[j] = pool[size - i - 1];
    }
    return drawn;
  }
  std::unordered_set<std::size_t> taken;
  while (drawn.size() < count) {
    const std::size_t j = below(static_cast<std::uint32_t>(size));
    if (taken.insert(j).second) drawn.push_back(j);
  }
  return drawn;
}

}  // namespace fathom::eval

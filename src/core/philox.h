// Philox4x32-10, the counter-based generator of Salmon et al., "Parallel Random
// Numbers: As Easy as 1, 2, 3" (SC 2011): the number at a counter is a pure
// function of (key, counter), so a value depends on its place (a weight, a sample), not
// on the order in which places are filled or on the rank that fills them.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define FATHOM_HOST_DEVICE __host__ __device__
#else
#define FATHOM_HOST_DEVICE
#endif

namespace fathom {

struct Philox {
  struct Block {
    std::uint32_t v[4];
  };

  std::uint64_t key;     // usually the run's seed
  std::uint64_t stream;  // one for each use: the hash of a parameter's or data source's name

  // The four words at counter `index`.
  FATHOM_HOST_DEVICE Block operator()(std::uint64_t index) const {
    std::uint32_t c0 = static_cast<std::uint32_t>(index),
                  c1 = static_cast<std::uint32_t>(index >> 32);
    std::uint32_t c2 = static_cast<std::uint32_t>(stream),
                  c3 = static_cast<std::uint32_t>(stream >> 32);
    std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0;
      const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c2;
      const auto h0 = static_cast<std::uint32_t>(p0 >> 32), l0 = static_cast<std::uint32_t>(p0);
      const auto h1 = static_cast<std::uint32_t>(p1 >> 32), l1 = static_cast<std::uint32_t>(p1);
      c0 = h1 ^ c1 ^ k0;
      c1 = l1;
      c2 = h0 ^ c3 ^ k1;
      c3 = l0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
  }

  // 64 random bits at `index`.
  FATHOM_HOST_DEVICE std::uint64_t bits(std::uint64_t index) const {
    const Block b = (*this)(index);
    return (std::uint64_t{b.v[1]} << 32) | b.v[0];
  }

  // Uniform in [0, 1) with 53 random bits.
  FATHOM_HOST_DEVICE double uniform(std::uint64_t index) const {
    return static_cast<double>(bits(index) >> 11) * 0x1.0p-53;
  }
};

// FNV-1a: the Philox stream of a name. Must never change: old checkpoints depend on it.
constexpr std::uint64_t stream_of(const char* text, std::size_t length) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (std::size_t i = 0; i < length; ++i) {
    hash = (hash ^ static_cast<unsigned char>(text[i])) * 0x100000001b3ull;
  }
  return hash;
}

}  // namespace fathom

// The source of our tensor-core kernels, to be run on the CPU with a thread for each of a
// block's threads, so that their index arithmetic is checked where there is no GPU. For a
// program of its own: its kernels have the names of the real ones.
//
// Instructions of a warp exchange what its lanes hold; mma and ldmatrix spread matrices
// over the lanes as PTX has it (ISA 8.5, "Warp-level matrix instructions"). Reads of
// shared memory that nobody wrote are NaN. Missing barriers are found by
// compute-sanitizer's racecheck on a GPU, not here.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <array>
#include <barrier>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#define FATHOM_EMULATED_BLOCK
#undef __launch_bounds__
#define __launch_bounds__(...)

using std::max;
using std::min;

inline thread_local dim3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;

namespace emulated {

struct Warp {
  std::barrier<> barrier{32};
  std::array<std::array<unsigned, 6>, 32> words;  // by lane
  std::array<const void*, 32> addresses;
};
inline std::vector<std::unique_ptr<Warp>> warps;
inline std::unique_ptr<std::barrier<>> block_barrier;

inline Warp& warp() {
  return *warps[threadIdx.x / 32];
}
inline unsigned lane() {
  return threadIdx.x % 32;
}
// Gives `words` to the warp; use(all lanes' words); lanes go on together.
template <std::size_t N, class Use>
void exchange(const std::array<unsigned, N>& words, Use use) {
  std::copy(words.begin(), words.end(), warp().words[lane()].begin());
  warp().barrier.arrive_and_wait();
  use(warp().words);
  warp().barrier.arrive_and_wait();
}
inline float half_of(unsigned pair, unsigned half) {
  const unsigned bits = (half == 0 ? pair << 16 : pair & 0xffff0000U);
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace emulated

inline void __syncthreads() {
  emulated::block_barrier->arrive_and_wait();
}
inline float __shfl_xor_sync(unsigned, float x, int mask) {
  unsigned bits;
  std::memcpy(&bits, &x, sizeof bits);
  emulated::exchange(std::array{bits}, [&](const auto& words) {
    std::memcpy(&x, &words[emulated::lane() ^ static_cast<unsigned>(mask)][0], sizeof x);
  });
  return x;
}

namespace fathom::ops::cuda {

alignas(16) inline uint4 shared[6 * 1024];
inline float decode_memory[16 * 130];

inline void mma(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  emulated::exchange(std::array{a[0], a[1], a[2], a[3], b0, b1}, [&](const auto& words) {
    const unsigned group = emulated::lane() / 4, pair = emulated::lane() % 4 * 2;
    for (unsigned i = 0; i < 4; ++i) {
      const unsigned row = group + i / 2 * 8, column = pair + i % 2;
      for (unsigned k = 0; k < 16; ++k) {
        const auto& left = words[row % 8 * 4 + k % 8 / 2];
        const auto& right = words[column * 4 + k % 8 / 2];
        d[i] += emulated::half_of(left[row / 8 + k / 8 * 2], k % 2) *
                emulated::half_of(right[4 + k / 8], k % 2);
      }
    }
  });
}

enum class Order { rows, columns };
inline void load(unsigned (&x)[4], const void* row, Order order) {
  emulated::Warp& warp = emulated::warp();
  warp.addresses[emulated::lane()] = row;
  emulated::exchange(std::array{0U}, [&](const auto&) {
    for (unsigned matrix = 0; matrix < 4; ++matrix) {
      x[matrix] = 0;
      for (unsigned half = 0; half < 2; ++half) {
        unsigned i = emulated::lane() / 4, j = emulated::lane() % 4 * 2 + half;
        if (order == Order::columns) std::swap(i, j);
        std::uint16_t bits;
        std::memcpy(&bits, static_cast<const std::byte*>(warp.addresses[8 * matrix + i]) + 2 * j,
                    sizeof bits);
        x[matrix] |= static_cast<unsigned>(bits) << 16 * half;
      }
    }
  });
}
inline void load_matrices(unsigned (&x)[4], const void* row) {
  load(x, row, Order::rows);
}
inline void load_transposed(unsigned (&x)[4], const void* row) {
  load(x, row, Order::columns);
}

inline void copy_async(void* to, const void* from, bool inside) {
  if (inside) {
    std::memcpy(to, from, 16);
  } else {
    std::memset(to, 0, 16);
  }
}
inline void wait_for_copies() {}
inline void close_copy_group() {}
template <int Newest>
void wait_for_copy_groups() {}
inline float exp2_of(float x) {
  return std::exp2(x);
}

}  // namespace fathom::ops::cuda

// After what stands in for the GPU.
#include "ops/cuda/decode_kernel.h"
#include "ops/cuda/fixed_order_attention_kernel.h"
#include "ops/cuda/fixed_order_kernel.h"
#include "ops/cuda/tile_backward.h"

namespace emulated {

// kernel() by every thread of every block, a block after another.
template <class Kernel>
void launch(dim3 grid, unsigned threads, Kernel kernel) {
  gridDim = grid;
  blockDim = dim3(threads);
  for (unsigned i = 0; i < grid.x * grid.y * grid.z; ++i) {
    const dim3 block(i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y);
    warps.clear();
    for (unsigned w = 0; w < threads / 32; ++w) warps.push_back(std::make_unique<Warp>());
    block_barrier = std::make_unique<std::barrier<>>(threads);
    std::memset(fathom::ops::cuda::shared, 0xff, sizeof fathom::ops::cuda::shared);
    std::vector<std::jthread> running;
    for (unsigned t = 0; t < threads; ++t) {
      running.emplace_back([=] {
        threadIdx = dim3(t, 0, 0);
        blockIdx = block;
        kernel();
        warp().barrier.arrive_and_drop();
        block_barrier->arrive_and_drop();
      });
    }
  }
}

}  // namespace emulated

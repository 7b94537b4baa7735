// Copies from global to shared memory behind the threads' backs: 16 bytes a thread (Ampere
// and later), or a run of bytes asked for by one thread (Hopper and later). PTX ISA 8.5,
// "cp.async", "cp.async.bulk" and "mbarrier".
#pragma once

#include <cstdint>

namespace fathom::ops::cuda {

__device__ inline unsigned shared_address(const void* at) {
  return static_cast<unsigned>(__cvta_generic_to_shared(at));
}

// 16 bytes; zeros when not `inside`.
__device__ inline void copy_async(void* to, const void* from, bool inside) {
  const int bytes = inside ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared_address(to)),
               "l"(from), "r"(bytes)
               : "memory");
}
// Waits for this thread's copies; a barrier makes those of the block visible.
__device__ inline void wait_for_copies() {
  asm volatile("cp.async.wait_all;\n" ::: "memory");
}
// Closes the group of this thread's copies since the last one that was closed.
__device__ inline void close_copy_group() {
  asm volatile("cp.async.commit_group;\n" ::: "memory");
}
// Waits for all groups but the `Newest`.
template <int Newest>
__device__ inline void wait_for_copy_groups() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(Newest) : "memory");
}

#if __CUDA_ARCH__ >= 900

// A place in shared memory where bytes are expected and arrive. Its phases alternate
// between parity 0, the first, and 1; one thread starts each.
class ArrivalBarrier {
 public:
  // By one thread, before a barrier of the block.
  __device__ void init() {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;\n" ::"r"(shared_address(&word_))
                 : "memory");
    asm volatile("fence.mbarrier_init.release.cluster;\n" ::: "memory");
  }

  // Asks for `bytes`, a multiple of 16 like both addresses.
  __device__ void request(void* to, const void* from, unsigned bytes) {
    asm volatile(
        "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;\n" ::"r"(shared_address(&word_)),
        "r"(bytes)
        : "memory");
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, "
        "[%3];\n" ::"r"(shared_address(to)),
        "l"(from), "r"(bytes), "r"(shared_address(&word_))
        : "memory");
  }

  // Until the phase of this parity has ended.
  __device__ void wait(unsigned parity) {
    asm volatile(
        "{\n"
        ".reg .pred arrived;\n"
        "again:\n"
        "mbarrier.try_wait.parity.shared::cta.b64 arrived, [%0], %1;\n"
        "@!arrived bra again;\n"
        "}\n" ::"r"(shared_address(&word_)),
        "r"(parity)
        : "memory");
  }

 private:
  std::uint64_t word_;
};

#endif

}  // namespace fathom::ops::cuda

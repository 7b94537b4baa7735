// What a kernel says about those before and after it, where they may overlap (launch.h). Without
// effect where they may not.
#pragma once

namespace fathom::ops::cuda {

// Returns when the kernels before this one have ended, and all that they wrote can be read. All of
// them, for each waits for the one before it, or was not started early.
__device__ inline void wait_for_previous_kernel() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Asks for the line of 128 bytes at `address`, which then waits in the second-level cache.
__device__ inline void fetch_ahead([[maybe_unused]] const void* address) {
#if __CUDA_ARCH__ >= 900
  asm volatile("prefetch.global.L2 [%0];" ::"l"(address));
#endif
}

// Lets the next kernel's blocks start, once all of this one have called it or ended, where these
// leave room for them.
__device__ inline void start_next_kernel() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
#endif
}

}  // namespace fathom::ops::cuda

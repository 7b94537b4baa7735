// Launches of kernels one of which may start before the one before it has ended: where a step has
// hundreds of short ones, as a step of generation, most of what lies between two of them is hidden
// (CUDA's programmatic dependent launch; from Hopper on).
//
// A kernel launched by launch() calls wait_for_previous_kernel() (kernel_start.h) in all its threads
// before it reads or writes what another kernel writes or reads. Before that it may read weights,
// which none writes.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernel_start.h"

namespace fathom::ops::cuda {

// Whether the current device starts kernels early.
inline bool can_start_early() {
  return device_attribute(cudaDevAttrComputeCapabilityMajor, "choosing the device") >= 9;
}

// kernel<<<grid, block, shared_bytes, stream>>>(arguments...)
template <class... Parameters, class... Arguments>
void launch(const Context& context, void (*kernel)(Parameters...), dim3 grid, dim3 block,
            std::size_t shared_bytes, const char* operation, const Arguments&... arguments) {
  cudaLaunchAttribute early{};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream_of(context);
  config.attrs = &early;
  config.numAttrs = context.kernel_start == KernelStart::early && can_start_early() ? 1 : 0;
  fathom::cuda::check(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...),
                      operation);
}

}  // namespace fathom::ops::cuda

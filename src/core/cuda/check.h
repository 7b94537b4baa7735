// Turns the CUDA runtime's status codes into Errors. Kept free of fmt, which
// nvcc is slow to read.
#pragma once

#include <cuda_runtime_api.h>

namespace fathom::cuda {

// Throws a run-time Error: "CUDA: <what>: <the runtime's own words>".
[[noreturn]] void fail(cudaError_t status, const char* what);

inline void check(cudaError_t status, const char* what) {
  if (status != cudaSuccess) [[unlikely]]
    fail(status, what);
}

}  // namespace fathom::cuda

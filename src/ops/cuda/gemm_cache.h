// The algorithms that measurement chose, kept on disk by shape, GPU and library
// version: a second run starts at once, and takes the same ones, which the same
// bits need. Threads and processes that choose for one shape at the same time all take the
// choice of the first to end: ranks of one run compute alike, and like the next run.
#pragma once

#include <cublasLt.h>

#include <string>

#include "ops/algorithm_file.h"
#include "ops/cuda/gemm.h"

namespace fathom::ops::cuda {

// A text file in $FATHOM_CACHE, else $XDG_CACHE_HOME/fathom, else ~/.cache/fathom; a line a shape
// (ops/algorithm_file.h). Safe to use from any thread.
class GemmCache {
 public:
  static GemmCache& of(int device);  // one for all GPUs of a kind
  explicit GemmCache(const std::string& path) : file_(path) {}

  bool find(const GemmShape& shape, cublasLtMatmulAlgo_t& algorithm);
  // `algorithm` was chosen; returns what to take, which is another's choice when that was
  // first.
  cublasLtMatmulAlgo_t remember(const GemmShape& shape, const cublasLtMatmulAlgo_t& algorithm);
  // cuBLASLt does not take `algorithm` for the shape: another is to be remembered.
  void refuse(const GemmShape& shape, const cublasLtMatmulAlgo_t& algorithm);

 private:
  AlgorithmFile file_;  // hexadecimal, by the shape's text
};

}  // namespace fathom::ops::cuda

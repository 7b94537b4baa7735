// The algorithms chosen by measurement, kept on disk by shape, GPU and library version. A
// second run need not measure, and uses the same algorithms, without which it would not give
// the same bits. Threads and processes that choose for one shape at the same time all take the
// first choice stored: the ranks of a run compute alike, and like the next run.
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
  // Stores the algorithm that the caller chose, and returns the one to use: another one when
  // another thread or process stored it first.
  cublasLtMatmulAlgo_t remember(const GemmShape& shape, const cublasLtMatmulAlgo_t& algorithm);
  // Forgets an algorithm that cuBLASLt refuses for the shape; remember() then stores another.
  void refuse(const GemmShape& shape, const cublasLtMatmulAlgo_t& algorithm);

 private:
  AlgorithmFile file_;  // hexadecimal, by the shape's text
};

}  // namespace fathom::ops::cuda

// The algorithms that measurement chose, kept on disk by shape, GPU and library
// version: a second run starts at once, and takes the same ones, which the same
// bits need. Threads and processes that choose for one shape at the same time all take the
// choice of the first to end: ranks of one run compute alike, and like the next run.
#pragma once

#include <cublasLt.h>

#include <map>
#include <mutex>
#include <string>

#include "ops/cuda/gemm.h"

namespace fathom::ops::cuda {

// A text file in $FATHOM_CACHE, else $XDG_CACHE_HOME/fathom, else
// ~/.cache/fathom; a line a shape. A file that cannot be read or written, or a
// line that is not understood, counts as absent. Safe to use from any thread.
class GemmCache {
 public:
  static GemmCache& of(int device);  // one for all GPUs of a kind
  explicit GemmCache(const std::string& path);

  bool find(const GemmShape& shape, cublasLtMatmulAlgo_t& algorithm);
  // `algorithm` was chosen; returns what to take, which is another's choice when that was
  // first.
  cublasLtMatmulAlgo_t remember(const GemmShape& shape, const cublasLtMatmulAlgo_t& algorithm);

 private:
  void read();

  std::string path_;  // empty: memory only
  std::mutex mutex_;
  std::map<std::string, std::string> algorithms_;  // hexadecimal, by the shape's text
};

}  // namespace fathom::ops::cuda

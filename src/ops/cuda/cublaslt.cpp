#include "ops/cuda/cublaslt.h"

#include "core/cuda/library.h"
#include "core/error.h"

namespace fathom::ops::cuda {
namespace {

CublasLt open_library() {
  const fathom::cuda::Library library(fathom::cuda::cublaslt_file);
  CublasLt lt{};
  library.find("cublasLtCreate", lt.create);
  library.find("cublasLtGetVersion", lt.version);
  library.find("cublasLtMatmul", lt.matmul);
  library.find("cublasLtMatmulAlgoGetHeuristic", lt.heuristic);
  library.find("cublasLtMatmulAlgoCheck", lt.algo_check);
  library.find("cublasLtMatmulDescCreate", lt.desc_create);
  library.find("cublasLtMatmulDescDestroy", lt.desc_destroy);
  library.find("cublasLtMatmulDescSetAttribute", lt.desc_set);
  library.find("cublasLtMatrixLayoutCreate", lt.layout_create);
  library.find("cublasLtMatrixLayoutDestroy", lt.layout_destroy);
  library.find("cublasLtMatmulPreferenceCreate", lt.preference_create);
  library.find("cublasLtMatmulPreferenceDestroy", lt.preference_destroy);
  library.find("cublasLtMatmulPreferenceSetAttribute", lt.preference_set);
  return lt;
}

}  // namespace

const CublasLt& cublaslt() {
  static const CublasLt lt = open_library();
  return lt;
}

void check_cublas(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS) [[unlikely]]
    fail_runtime("cuBLASLt: {} failed with status {}", what, static_cast<int>(status));
}

}  // namespace fathom::ops::cuda

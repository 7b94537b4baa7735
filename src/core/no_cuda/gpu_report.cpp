// Stands in for cuda/gpu_report.cpp in a build without CUDA.
#include "core/gpu_report.h"

#include "core/device.h"

namespace fathom {

CudaReport report_cuda() {
  CudaReport report;
  report.problem = cuda::problem(0);
  return report;
}

}  // namespace fathom

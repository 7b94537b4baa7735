// GPUs, driver and libraries of this machine, for `fathom info`.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace fathom {

struct GpuReport {
  std::string name;                             // "NVIDIA H200"
  std::size_t total_bytes = 0, free_bytes = 0;  // of its memory
  std::string compute_capability;               // "9.0"
  std::string problem;                          // why it cannot be used; empty when it can
};

struct LibraryReport {
  std::string name;     // "cuBLASLt"
  std::string version;  // "13.1.0"
  std::string path;     // where it was found
  std::string problem;  // why it cannot be used; empty when it can
};

struct CudaReport {
  std::string problem;  // why there are no GPUs; empty when there are
  std::string driver;   // "580.65.06, for CUDA up to 13.0"; empty when unknown
  std::string runtime;  // the CUDA version that this build was made with
  std::vector<GpuReport> gpus;
  std::vector<LibraryReport> libraries;
};

// Asks the driver and opens the libraries; what fails becomes a `problem`, never an Error.
// In a build without CUDA only `problem` is set.
CudaReport report_cuda();

}  // namespace fathom

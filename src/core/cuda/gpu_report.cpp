// Asks the driver for its GPUs, and NVIDIA's libraries for their versions.
#include "core/gpu_report.h"

#include <cuda_runtime_api.h>

#include <fstream>
#include <regex>

#include "core/cuda/library.h"
#include "core/device.h"
#include "core/error.h"

namespace fathom {
namespace {

std::string cuda_version(int number) {
  return fmt::format("{}.{}", number / 1000, number % 1000 / 10);
}

// "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  ..."
std::string kernel_module_version() {
  std::ifstream file("/proc/driver/nvidia/version");
  std::string line;
  std::getline(file, line);
  std::smatch match;
  return std::regex_search(line, match, std::regex(R"(\d+\.\d+(\.\d+)?)")) ? match.str() : "";
}

std::string driver_version() {
  int number = 0;
  if (cudaDriverGetVersion(&number) != cudaSuccess || number == 0) return "";
  const std::string module = kernel_module_version();
  return fmt::format("{}for CUDA up to {}", module.empty() ? "" : module + ", ",
                     cuda_version(number));
}

GpuReport report_gpu(int index) {
  GpuReport gpu;
  gpu.problem = cuda::problem(index);
  cudaDeviceProp properties{};
  if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) return gpu;
  gpu.name = properties.name;
  gpu.compute_capability = fmt::format("{}.{}", properties.major, properties.minor);
  // A context on the GPU: what other processes do there may leave no room for one.
  if (cudaSetDevice(index) != cudaSuccess ||
      cudaMemGetInfo(&gpu.free_bytes, &gpu.total_bytes) != cudaSuccess) {
    gpu.total_bytes = properties.totalGlobalMem;
    if (gpu.problem.empty()) {
      gpu.problem = fmt::format("it does not answer ({})", cudaGetErrorString(cudaGetLastError()));
    }
  }
  return gpu;
}

// `version_of` asks an open library for its version.
template <class F>
LibraryReport report_library(const char* name, const char* file, F&& version_of) {
  LibraryReport report;
  report.name = name;
  try {
    const cuda::Library library(file);
    report.path = library.path();
    report.version = version_of(library);
  } catch (const Error& error) {
    report.problem = error.what();
  }
  return report;
}

// What the version functions of cuBLASLt and cuDNN give.
std::string asked_version(const cuda::Library& library, const char* function) {
  std::size_t (*version)() = nullptr;
  library.find(function, version);
  const std::size_t number = version();
  return fmt::format("{}.{}.{}", number / 10000, number / 100 % 100, number % 100);
}

std::string nccl_version(const cuda::Library& library) {
  int (*version)(int*) = nullptr;
  library.find("ncclGetVersion", version);
  int number = 0;
  version(&number);
  return fmt::format("{}.{}.{}", number / 10000, number / 100 % 100, number % 100);
}

}  // namespace

CudaReport report_cuda() {
  CudaReport report;
  report.driver = driver_version();
  report.runtime = cuda_version(CUDART_VERSION);
  const int count = cuda::device_count();
  if (count == 0) report.problem = cuda::problem(0);
  for (int i = 0; i < count; ++i) report.gpus.push_back(report_gpu(i));
  report.libraries = {
      report_library("cuBLASLt", cuda::cublaslt_file,
                     [](const auto& l) { return asked_version(l, "cublasLtGetVersion"); }),
      report_library("cuDNN", cuda::cudnn_file,
                     [](const auto& l) { return asked_version(l, "cudnnGetVersion"); }),
      report_library("NCCL", cuda::nccl_file, nccl_version)};
  return report;
}

}  // namespace fathom

#include "ops/cuda/cudnn_library.h"

#include <cstdlib>
#include <string_view>

#include "core/cuda/check.h"
#include "core/cuda/library.h"
#include "core/error.h"

namespace fathom::ops::cuda {
namespace {

// Attention with ragged offsets and its backward are right from here on.
constexpr std::size_t oldest_version = 91002;

CudnnLibrary open_cudnn() {
  CudnnLibrary cudnn;
  const char* wanted = std::getenv("FATHOM_CUDNN");
  if (wanted && std::string_view(wanted) == "off") {
    cudnn.problem = "FATHOM_CUDNN is off";
    return cudnn;
  }
  try {
    const fathom::cuda::Library library(fathom::cuda::cudnn_file);
    cudnn.path = library.path();
    cudnn.library = library.handle();
    library.find("cudnnCreate", cudnn.create);
    library.find("cudnnSetStream", cudnn.set_stream);
    decltype(&cudnnGetVersion) version = nullptr;
    library.find("cudnnGetVersion", version);
    cudnn.version = version();
  } catch (const Error& error) {
    cudnn.problem = error.what();
    return cudnn;
  }
  if (cudnn.version < oldest_version) {
    cudnn.problem = fmt::format("{} is cuDNN {}, and 9.10.2 is the oldest supported", cudnn.path,
                                cudnn.version_text());
  }
  return cudnn;
}

void check_cudnn(cudnnStatus_t status, const char* what) {
  if (status != CUDNN_STATUS_SUCCESS) [[unlikely]]
    fail_runtime("cuDNN: {} failed with status {}", what, static_cast<int>(status));
}

}  // namespace

std::string CudnnLibrary::version_text() const {
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

const CudnnLibrary& cudnn_library() {
  static const CudnnLibrary cudnn = open_cudnn();
  return cudnn;
}

cudnnHandle_t open_cudnn_handle(int device) {
  cudnnHandle_t handle = nullptr;
  fathom::cuda::check(cudaSetDevice(device), "choosing the device");
  check_cudnn(cudnn_library().create(&handle), "opening the library");
  return handle;
}

void set_cudnn_stream(cudnnHandle_t handle, int device, Stream stream) {
  fathom::cuda::check(cudaSetDevice(device), "choosing the device");
  check_cudnn(cudnn_library().set_stream(handle, static_cast<cudaStream_t>(stream)),
              "choosing the stream");
}

int compute_capability(int device) {
  int major = 0, minor = 0;
  fathom::cuda::check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device),
                      "asking for the compute capability");
  fathom::cuda::check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device),
                      "asking for the compute capability");
  return 10 * major + minor;
}

}  // namespace fathom::ops::cuda

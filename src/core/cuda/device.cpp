// Memory, copies and streams of NVIDIA GPUs, through the CUDA runtime. The
// runtime is linked statically and finds the driver by itself, so that a binary
// with CUDA starts on a machine without it.
#include "core/device.h"

#include "core/cuda/check.h"
#include "core/error.h"

namespace fathom::cuda {
namespace {

constexpr int oldest_major = 8;  // Ampere: the first with bf16 matrix units

double gib(std::size_t bytes) {
  return static_cast<double>(bytes) / (std::size_t{1} << 30);
}

std::string version_text(int number) {
  return fmt::format("{}.{}", number / 1000, number % 1000 / 10);
}

// Why the driver gives no devices.
std::string driver_problem(cudaError_t status) {
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    return "there is no NVIDIA driver";
  }
  if (status == cudaErrorInsufficientDriver) {
    return fmt::format(
        "the NVIDIA driver is for CUDA up to {}, and this build needs {}: install a newer driver",
        version_text(driver), version_text(CUDART_VERSION));
  }
  return fmt::format("the NVIDIA driver does not answer ({})", cudaGetErrorString(status));
}

}  // namespace

void fail(cudaError_t status, const char* what) {
  fail_runtime("CUDA: {}: {} ({})", what, cudaGetErrorString(status), cudaGetErrorName(status));
}

int device_count() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

std::string problem(int index) {
  int count = 0;
  if (const cudaError_t status = cudaGetDeviceCount(&count); status != cudaSuccess) {
    return driver_problem(status);
  }
  if (index >= count) return fmt::format("this machine has {} CUDA device(s)", count);
  cudaDeviceProp properties{};
  if (const cudaError_t status = cudaGetDeviceProperties(&properties, index);
      status != cudaSuccess) {
    return fmt::format("it does not answer ({})", cudaGetErrorString(status));
  }
  if (properties.major < oldest_major) {
    return fmt::format("{} has compute capability {}.{}, and {}.0 (Ampere) is the oldest supported",
                       properties.name, properties.major, properties.minor, oldest_major);
  }
  return "";
}

int compute_capability(int index) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "asking for the GPU's compute capability");
  return 10 * properties.major + properties.minor;
}

std::size_t free_memory(int device) {
  check(cudaSetDevice(device), "choosing the device");
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "asking for free memory");
  return free;
}

std::string device_name(int index) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "asking for the GPU's name");
  return properties.name;
}

void* allocate(int device, std::size_t bytes) {
  check(cudaSetDevice(device), "choosing the device");
  if (bytes == 0) return nullptr;
  void* data = nullptr;
  const cudaError_t status = cudaMalloc(&data, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // the device stays usable: clear what it remembers
    std::size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    fail_runtime(
        "cannot take {:.2f} GiB on cuda:{}: {:.2f} of its {:.2f} GiB are free; use a smaller "
        "model or micro-batch, or end what else runs there",
        gib(bytes), device, gib(free), gib(total));
  }
  check(status, "allocating memory");
  check(cudaMemset(data, 0, bytes), "clearing memory");
  check(cudaStreamSynchronize(nullptr), "clearing memory");
  return data;
}

void release(int device, void* data) noexcept {
  if (!data) return;
  cudaSetDevice(device);
  cudaFree(data);
}

void copy_bytes(void* to, const void* from, std::size_t bytes, Stream stream) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, static_cast<cudaStream_t>(stream)),
        "copying memory");
}

void synchronize(int device, Stream stream) {
  check(cudaSetDevice(device), "choosing the device");
  check(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)), "waiting for the device");
}

}  // namespace fathom::cuda

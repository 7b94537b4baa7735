// Devices and the memory on them. The CUDA half is implemented in cuda/device.cpp
// or, in a build without it, by the stubs of no_cuda/device.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace fathom {

enum class DeviceType : std::uint8_t {
  cpu,
  cuda,
  // Has no memory and computes nothing: operations check their shapes and
  // return. Memory is planned by running the real code on it.
  meta,
};

struct Device {
  DeviceType type = DeviceType::cpu;
  std::int16_t index = 0;
  bool operator==(const Device&) const = default;
};

inline constexpr Device cpu_device{};
inline constexpr Device meta_device{DeviceType::meta, 0};

// "cpu", "cuda:0", "meta".
std::string to_string(Device device);

// Parses "cpu", "cuda" or "cuda:N". Throws an input Error for anything else, or
// when this build or machine lacks the device.
Device parse_device(const std::string& text);

// Zero-filled memory, aligned to 64 bytes (CPU) or 256 (CUDA); null on meta. Pages of large blocks
// on the CPU are taken when they are first touched. Throws a run-time Error with the size when
// there is not enough.
void* allocate(Device device, std::size_t bytes);
// `bytes`: as given to allocate().
void release(Device device, void* data, std::size_t bytes) noexcept;

// An ordered queue of work on a device: a cudaStream_t; null on the CPU, where
// work is done when the call returns.
using Stream = void*;

// Copies bytes in the order of `stream`; both devices may be the CPU, either may be CUDA.
// On the CPU: a memcpy. Does nothing when either device is meta.
void copy_bytes(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes,
                Stream stream);

// Blocks until the work queued on `stream` is done.
void synchronize(Device device, Stream stream);

// Free memory of a CUDA device in bytes; 0 (unknown) for other devices.
std::size_t free_memory(Device device);

// Name for people: "NVIDIA H200", "cpu".
std::string device_name(Device device);

namespace cuda {
int device_count();  // 0 without CUDA, a driver or a GPU
int compute_capability(int index);  // of device `index`: 90 is 9.0
// Why device `index` cannot be used; empty when it can.
std::string problem(int index);
std::string device_name(int index);
std::size_t free_memory(int device);
void* allocate(int device, std::size_t bytes);
void release(int device, void* data) noexcept;
void copy_bytes(void* to, const void* from, std::size_t bytes, Stream stream);
void synchronize(int device, Stream stream);
}  // namespace cuda

}  // namespace fathom

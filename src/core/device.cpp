#include "core/device.h"

#include <sys/mman.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

#include "core/error.h"

namespace fathom {
namespace {

constexpr std::size_t cpu_alignment = 64;
constexpr std::size_t huge_page = std::size_t{2} << 20;
// malloc maps each block of this size on its own, so that advice about its pages concerns
// no other memory.
constexpr std::size_t own_mapping = std::size_t{32} << 20;

void* allocate_cpu(std::size_t bytes) {
  const std::size_t rounded = (bytes + cpu_alignment - 1) / cpu_alignment * cpu_alignment;
  if (rounded < bytes) fail_runtime("cannot take {} bytes of memory", bytes);
  const bool large = rounded >= own_mapping;
  void* data = nullptr;
  if (posix_memalign(&data, large ? huge_page : cpu_alignment,
                     rounded == 0 ? cpu_alignment : rounded) != 0) {
    fail_runtime("cannot take {:.1f} MiB of memory: use a smaller model or micro-batch",
                 static_cast<double>(bytes) / (1 << 20));
  }
  // Filling 64 MiB in 4 KiB pages takes 16384 page faults; ranks that are threads wait for
  // each other in them. A kernel without huge pages ignores the advice.
  if (large) madvise(data, rounded, MADV_HUGEPAGE);
  std::memset(data, 0, rounded);
  return data;
}

}  // namespace

std::string to_string(Device device) {
  switch (device.type) {
    case DeviceType::cpu:
      return "cpu";
    case DeviceType::cuda:
      return fmt::format("cuda:{}", device.index);
    case DeviceType::meta:
      return "meta";
  }
  return "?";
}

Device parse_device(const std::string& text) {
  if (text == "cpu") return cpu_device;
  int index = 0;
  bool known = text == "cuda";
  if (text.starts_with("cuda:")) {
    const char* end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data() + 5, end, index);
    known = problem == std::errc() && stop == end && index >= 0;
  }
  if (!known) fail_input("device '{}' is not known: use cpu, cuda or cuda:N", text);
  if (const std::string problem = cuda::problem(index); !problem.empty()) {
    fail_input("device '{}' cannot be used: {}; `fathom info` lists what can", text, problem);
  }
  return {DeviceType::cuda, static_cast<std::int16_t>(index)};
}

std::size_t free_memory(Device device) {
  return device.type == DeviceType::cuda ? cuda::free_memory(device.index) : 0;
}

std::string device_name(Device device) {
  return device.type == DeviceType::cuda ? cuda::device_name(device.index) : to_string(device);
}

void* allocate(Device device, std::size_t bytes) {
  switch (device.type) {
    case DeviceType::cpu:
      return allocate_cpu(bytes);
    case DeviceType::cuda:
      return cuda::allocate(device.index, bytes);
    case DeviceType::meta:
      return nullptr;
  }
  return nullptr;
}

void release(Device device, void* data) noexcept {
  if (device.type == DeviceType::cpu) std::free(data);
  if (device.type == DeviceType::cuda) cuda::release(device.index, data);
}

void copy_bytes(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes,
                Stream stream) {
  if (to_device.type == DeviceType::meta || from_device.type == DeviceType::meta) return;
  if (bytes == 0) return;
  if (to_device.type == DeviceType::cpu && from_device.type == DeviceType::cpu) {
    std::memcpy(to, from, bytes);
  } else {
    cuda::copy_bytes(to, from, bytes, stream);
  }
}

void synchronize(Device device, Stream stream) {
  if (device.type == DeviceType::cuda) cuda::synchronize(device.index, stream);
}

}  // namespace fathom

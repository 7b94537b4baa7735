#include "core/device.h"

#include <sys/mman.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "core/error.h"

namespace fathom {
namespace {

constexpr std::size_t cpu_alignment = 64;
constexpr std::size_t huge_page = std::size_t{2} << 20;
// Blocks from this size on are mappings of their own.
constexpr std::size_t own_mapping = std::size_t{4} << 20;

bool is_mapped(std::size_t bytes) {
  return bytes >= own_mapping;
}

std::size_t rounded_up(std::size_t bytes, std::size_t multiple) {
  return (bytes + multiple - 1) / multiple * multiple;
}

[[noreturn]] void fail_full(std::size_t bytes) {
  fail_runtime("cannot take {:.1f} MiB of memory: use a smaller model or micro-batch",
               static_cast<double>(bytes) / (1 << 20));
}

// Pages that the kernel clears when they are first touched: what is never used costs nothing, and
// the thread that fills a page clears it. Filling 64 MiB in 4 KiB pages takes 16384 page faults;
// ranks that are threads wait for each other in them. A kernel without huge pages ignores the
// advice.
void* map_cleared(std::size_t bytes) {
  const std::size_t length = rounded_up(bytes, huge_page), room = length + huge_page;
  void* const mapped =
      mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) fail_full(bytes);
  auto* const begin = static_cast<std::byte*>(mapped);
  const std::size_t before = rounded_up(reinterpret_cast<std::uintptr_t>(begin), huge_page) -
                             reinterpret_cast<std::uintptr_t>(begin);
  if (before > 0) munmap(begin, before);
  munmap(begin + before + length, room - before - length);
  madvise(begin + before, length, MADV_HUGEPAGE);
  return begin + before;
}

void* allocate_cpu(std::size_t bytes) {
  if (bytes > SIZE_MAX - 2 * huge_page) fail_runtime("cannot take {} bytes of memory", bytes);
  if (is_mapped(bytes)) return map_cleared(bytes);
  void* data = nullptr;
  const std::size_t rounded = rounded_up(std::max<std::size_t>(bytes, 1), cpu_alignment);
  if (posix_memalign(&data, cpu_alignment, rounded) != 0) fail_full(bytes);
  std::memset(data, 0, rounded);
  return data;
}

void release_cpu(void* data, std::size_t bytes) noexcept {
  if (!data) return;
  if (is_mapped(bytes)) {
    munmap(data, rounded_up(bytes, huge_page));
  } else {
    std::free(data);
  }
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

void release(Device device, void* data, std::size_t bytes) noexcept {
  if (device.type == DeviceType::cpu) release_cpu(data, bytes);
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

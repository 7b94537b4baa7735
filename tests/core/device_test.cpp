// Names of devices, and memory on them.
#include "core/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <vector>

#include "core/buffer.h"
#include "core/error.h"

namespace fathom {
namespace {

using testing::HasSubstr;

std::string device_error_of(const std::string& device) {
  try {
    parse_device(device);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "no error";
}

TEST(Device, NamesAreReadAndWritten) {
  EXPECT_EQ(parse_device("cpu"), cpu_device);
  EXPECT_EQ(to_string(cpu_device), "cpu");
  EXPECT_EQ(to_string(meta_device), "meta");
  EXPECT_EQ(to_string(Device{DeviceType::cuda, 3}), "cuda:3");
  EXPECT_EQ(device_name(cpu_device), "cpu");
  for (const char* unknown :
       {"", "gpu", "CPU", "cuda:", "cuda:x", "cuda:1x", "cuda:-1", "cuda1", "cuda:99999999999"}) {
    EXPECT_EQ(device_error_of(unknown),
              fmt::format("device '{}' is not known: use cpu, cuda or cuda:N", unknown));
  }
  EXPECT_THAT(device_error_of("cuda:4000"), HasSubstr("device 'cuda:4000' cannot be used: "));
  if (cuda::device_count() > 0) {
    EXPECT_EQ(parse_device("cuda"), (Device{DeviceType::cuda, 0}));
  } else {
    EXPECT_THAT(device_error_of("cuda"), HasSubstr("`fathom info` lists what can"));
  }
}

// The kernel's flags of the mapping that holds an address: "rd wr mr mw me ac hg sd".
std::string flags_of_mapping(const void* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%zx-%zx ", &begin, &end) == 2) {
      inside = begin <= wanted && wanted < end;
    } else if (inside && line.starts_with("VmFlags:")) {
      return line;
    }
  }
  return "";
}

TEST(Device, LargeMemoryOfTheCpuLiesInHugePages) {
  constexpr std::size_t bytes = std::size_t{32} << 20;
  auto* const data = static_cast<unsigned char*>(allocate(cpu_device, bytes));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % (std::size_t{2} << 20), 0u);
  EXPECT_TRUE(std::all_of(data, data + bytes, [](unsigned char x) { return x == 0; }));
  if (std::filesystem::exists("/sys/kernel/mm/transparent_hugepage")) {
    EXPECT_THAT(flags_of_mapping(data), HasSubstr(" hg "));
  }
  release(cpu_device, data, bytes);
}

// Pages of a mapping that are in memory.
std::ptrdiff_t resident_pages(void* data, std::size_t bytes) {
  std::vector<unsigned char> pages(bytes / static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
  EXPECT_EQ(mincore(data, bytes, pages.data()), 0);
  return std::ranges::count_if(pages, [](unsigned char page) { return (page & 1) != 0; });
}

TEST(Device, LargeMemoryOfTheCpuIsTakenWhenItIsTouched) {
  constexpr std::size_t bytes = std::size_t{32} << 20;
  auto* const data = static_cast<unsigned char*>(allocate(cpu_device, bytes));
  EXPECT_EQ(resident_pages(data, bytes), 0);
  data[bytes / 2] = 1;
  EXPECT_GT(resident_pages(data, bytes), 0);
  EXPECT_LT(resident_pages(data, bytes), static_cast<std::ptrdiff_t>(bytes / 4096 / 2));
  release(cpu_device, data, bytes);
  // Freed memory is gone, not kept for the next.
  EXPECT_EQ(mincore(data, bytes, std::vector<unsigned char>(bytes / 4096).data()), -1);
}

TEST(Device, MemoryOfTheCpuIsZeroAndAligned) {
  for (const std::size_t bytes :
       {0ul, 1ul, 63ul, 64ul, 65ul, 100'000ul, (4ul << 20) - 1, 4ul << 20, (4ul << 20) + 1}) {
    auto* const data = static_cast<unsigned char*>(allocate(cpu_device, bytes));
    ASSERT_NE(data, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % 64, 0u);
    for (std::size_t i = 0; i < bytes; ++i) ASSERT_EQ(data[i], 0);
    release(cpu_device, data, bytes);
  }
  EXPECT_EQ(allocate(meta_device, 64), nullptr);
  EXPECT_EQ(free_memory(cpu_device), 0u);
  for (const std::size_t too_much :
       {std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::size_t>::max() / 2}) {
    try {
      release(cpu_device, allocate(cpu_device, too_much), too_much);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("cannot take "));
    }
  }
}

TEST(Device, CopiesBytesOnTheCpuAndNoneOnMeta) {
  const char from[] = "abcdef";
  char to[] = "......";
  copy_bytes(to, cpu_device, from, cpu_device, 3, nullptr);
  EXPECT_STREQ(to, "abc...");
  copy_bytes(to, cpu_device, nullptr, meta_device, 3, nullptr);
  copy_bytes(nullptr, meta_device, from, cpu_device, 3, nullptr);
  copy_bytes(nullptr, cpu_device, nullptr, cpu_device, 0, nullptr);
  EXPECT_STREQ(to, "abc...");
}

TEST(Arena, HandsOutPiecesOnBoundariesOf256Bytes) {
  Arena arena(cpu_device, 1024);
  const Tensor first = arena.take(DType::u8, {1});
  const Tensor second = arena.take(DType::f32, {65});
  EXPECT_EQ(static_cast<std::byte*>(second.data) - static_cast<std::byte*>(first.data), 256);
  EXPECT_EQ(arena.mark(), 768u);
  {
    const ArenaScope scope(arena);
    arena.take(DType::bf16, {128});
    EXPECT_EQ(arena.mark(), 1024u);
    EXPECT_THROW(arena.take(DType::u8, {1}), Error);
  }
  EXPECT_EQ(arena.mark(), 768u);
  EXPECT_EQ(arena.take(DType::u8, {0}).elements(), 0);
  EXPECT_EQ(arena.peak(), 1024u);
}

TEST(DType, SizesAndNames) {
  EXPECT_EQ(size_of(DType::f32), 4u);
  EXPECT_EQ(size_of(DType::i32), 4u);
  EXPECT_EQ(size_of(DType::u32), 4u);
  EXPECT_EQ(size_of(DType::bf16), 2u);
  EXPECT_EQ(size_of(DType::u16), 2u);
  EXPECT_EQ(size_of(DType::u8), 1u);
  EXPECT_EQ(name_of(DType::bf16), "bf16");
  EXPECT_EQ(name_of(DType::u32), "u32");
  EXPECT_EQ(dispatch_floating(DType::bf16, [](auto zero) { return sizeof zero; }), 2u);
  EXPECT_EQ(dispatch_floating(DType::f32, [](auto zero) { return sizeof zero; }), 4u);
  EXPECT_THROW(dispatch_floating(DType::i32, [](auto zero) { return sizeof zero; }), Error);
}

}  // namespace
}  // namespace fathom

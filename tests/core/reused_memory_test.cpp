#include "core/reused_memory.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/buffer.h"
#include "core/stream.h"

namespace fathom {
namespace {

constexpr Device first_gpu{DeviceType::cuda, 0};

// Blocks of memory that does not exist, told apart by their addresses.
MemoryBlock block(std::uintptr_t address, std::size_t bytes, MemoryKind kind = MemoryKind::device,
                  int device = 0) {
  return {kind, device, bytes, reinterpret_cast<void*>(address)};
}

std::uintptr_t address_of(const std::optional<MemoryBlock>& taken) {
  return taken ? reinterpret_cast<std::uintptr_t>(taken->data) : 0;
}

TEST(IdleBlocks, GiveTheSmallestThatFits) {
  IdleBlocks idle;
  for (const auto& [address, bytes] : {std::pair{1, 1000}, {2, 1100}, {3, 1050}, {4, 900}}) {
    idle.put(block(static_cast<std::uintptr_t>(address), static_cast<std::size_t>(bytes)));
  }
  EXPECT_EQ(address_of(idle.take(MemoryKind::device, 0, 950)), 1);
  EXPECT_EQ(address_of(idle.take(MemoryKind::device, 0, 950)), 3);
  EXPECT_EQ(address_of(idle.take(MemoryKind::device, 0, 900)), 4);
  EXPECT_EQ(address_of(idle.take(MemoryKind::device, 0, 1101)), 0);
  EXPECT_EQ(address_of(idle.take(MemoryKind::device, 0, 824)), 0) << "much would lie unused";
  EXPECT_EQ(address_of(idle.take(MemoryKind::device, 0, 825)), 2);
}

TEST(IdleBlocks, KeepKindsAndDevicesApart) {
  IdleBlocks idle;
  idle.put(block(1, 100, MemoryKind::page_locked));
  idle.put(block(2, 100, MemoryKind::device, 1));
  EXPECT_EQ(address_of(idle.take(MemoryKind::device, 0, 100)), 0);
  EXPECT_EQ(idle.bytes(0), 0);
  EXPECT_EQ(idle.bytes(1), 100);
  EXPECT_EQ(address_of(idle.take(MemoryKind::device, 1, 100)), 2);
  EXPECT_EQ(address_of(idle.take(MemoryKind::page_locked, 0, 100)), 1);
}

TEST(IdleBlocks, AreOldWhenNobodyTookThemForATurn) {
  IdleBlocks idle;
  idle.put(block(1, 100));
  EXPECT_TRUE(idle.take_old().empty());
  idle.put(block(2, 200));
  const std::vector<MemoryBlock> old = idle.take_old();
  ASSERT_EQ(old.size(), 1);
  EXPECT_EQ(old.front().bytes, 100);
  idle.put(*idle.take(MemoryKind::device, 0, 200));
  EXPECT_TRUE(idle.take_old().empty()) << "it was used again";
  EXPECT_EQ(idle.take_all().size(), 1);
  EXPECT_TRUE(idle.take_all().empty());
}

std::vector<std::byte> content_of(const Buffer& buffer) {
  std::vector<std::byte> bytes(buffer.bytes());
  copy_bytes(bytes.data(), cpu_device, buffer.data(), buffer.device(), bytes.size(), nullptr);
  synchronize(buffer.device(), nullptr);
  return bytes;
}

TEST(ReusedMemory, HandsARunsMemoryToTheNext) {
  if (cuda::device_count() == 0) GTEST_SKIP() << "takes a GPU";
  constexpr std::size_t bytes = std::size_t{64} << 20;
  const std::size_t free = free_memory(first_gpu);
  {
    ReusedMemory memory;
    void *device = nullptr, *host = nullptr;
    for (int run = 0; run < 3; ++run) {
      const ReusedMemory::Scope scope(memory);
      const std::size_t before = free_memory(first_gpu);
      const OwnedStream stream(first_gpu);
      const Buffer buffer(first_gpu, bytes);
      const HostBuffer locked(first_gpu, bytes);
      if (run > 0) {
        EXPECT_EQ(buffer.data(), device);
        EXPECT_EQ(locked.data(), host);
        EXPECT_GE(before, free - bytes / 2) << "what lies idle counts as free";
      }
      const auto is_zero = [](std::byte byte) { return byte == std::byte{0}; };
      EXPECT_TRUE(std::ranges::all_of(content_of(buffer), is_zero));
      auto* const words = static_cast<std::byte*>(locked.data());
      EXPECT_TRUE(std::all_of(words, words + bytes, is_zero));
      // Queued, and not waited for: the next run must not meet it.
      std::fill(words, words + bytes, std::byte{7});
      copy_bytes(buffer.data(), first_gpu, words, cpu_device, bytes, stream.get());
      device = buffer.data();
      host = locked.data();
    }
    EXPECT_LE(free_memory(first_gpu), free - bytes);
  }
  EXPECT_GE(free_memory(first_gpu), free - (std::size_t{4} << 20));
}

// A run that uses no memory ends the wait of what the run before has left.
TEST(ReusedMemory, GivesBackWhatARunDoesNotUse) {
  if (cuda::device_count() == 0) GTEST_SKIP() << "takes a GPU";
  constexpr std::size_t bytes = std::size_t{64} << 20;
  ReusedMemory memory;
  const auto run = [&](std::size_t size) {
    const ReusedMemory::Scope scope(memory);
    const Buffer buffer(first_gpu, size);
  };
  run(bytes);
  EXPECT_EQ(memory.idle_bytes(0), bytes);
  run(bytes / 4);
  EXPECT_EQ(memory.idle_bytes(0), bytes / 4);
}

// Memory from outside a scope is not the scope's, and the other way round.
TEST(ReusedMemory, LeavesOtherMemoryAlone) {
  if (cuda::device_count() == 0) GTEST_SKIP() << "takes a GPU";
  ReusedMemory memory;
  Buffer outside(first_gpu, 4096), inside;
  {
    const ReusedMemory::Scope scope(memory);
    inside = Buffer(first_gpu, 4096);
    outside = Buffer();
    EXPECT_EQ(memory.idle_bytes(0), 0);
  }
  inside = Buffer();
  EXPECT_EQ(memory.idle_bytes(0), 0);
  EXPECT_EQ(ReusedMemory::of_thread(), nullptr);
}

}  // namespace
}  // namespace fathom

#include "core/reused_memory.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/stream.h"

namespace fathom {
namespace {

thread_local ReusedMemory* bound = nullptr;

void* allocate_block(MemoryKind kind, int device, std::size_t bytes) {
  return kind == MemoryKind::device ? cuda::allocate(device, bytes)
                                    : cuda::allocate_host(device, bytes);
}

void release_blocks(const std::vector<MemoryBlock>& blocks) {
  for (const MemoryBlock& block : blocks) {
    if (block.kind == MemoryKind::device) {
      cuda::release(block.device, block.data);
    } else {
      cuda::release_host(block.data);
    }
  }
}

}  // namespace

std::optional<MemoryBlock> IdleBlocks::take(MemoryKind kind, int device, std::size_t bytes) {
  auto best = blocks_.end();
  for (auto at = blocks_.begin(); at != blocks_.end(); ++at) {
    const MemoryBlock& block = at->block;
    if (block.kind != kind || block.device != device || block.bytes < bytes) continue;
    if (block.bytes - bytes > block.bytes / 4) continue;
    if (best == blocks_.end() || block.bytes < best->block.bytes) best = at;
  }
  if (best == blocks_.end()) return std::nullopt;
  const MemoryBlock block = best->block;
  blocks_.erase(best);
  return block;
}

std::size_t IdleBlocks::bytes(int device) const {
  std::size_t sum = 0;
  for (const auto& [block, fresh] : blocks_) {
    if (block.kind == MemoryKind::device && block.device == device) sum += block.bytes;
  }
  return sum;
}

std::vector<MemoryBlock> IdleBlocks::take_all() {
  std::vector<MemoryBlock> all;
  for (const Entry& entry : std::exchange(blocks_, {})) all.push_back(entry.block);
  return all;
}

std::vector<MemoryBlock> IdleBlocks::take_old() {
  std::vector<MemoryBlock> old;
  for (const Entry& entry : blocks_) {
    if (!entry.fresh) old.push_back(entry.block);
  }
  std::erase_if(blocks_, [](const Entry& entry) { return !entry.fresh; });
  for (Entry& entry : blocks_) entry.fresh = false;
  return old;
}

ReusedMemory::Scope::Scope(ReusedMemory& memory)
    : memory_(memory), before_(std::exchange(bound, &memory)) {}

ReusedMemory::Scope::~Scope() {
  bound = before_;
  release_blocks(memory_.idle_.take_old());
}

ReusedMemory* ReusedMemory::of_thread() {
  return bound;
}

ReusedMemory::~ReusedMemory() {
  release_blocks(idle_.take_all());
}

void* ReusedMemory::take(MemoryKind kind, int device, std::size_t bytes) {
  if (bytes == 0) return allocate_block(kind, device, bytes);
  std::optional<MemoryBlock> block = idle_.take(kind, device, bytes);
  if (block && kind == MemoryKind::device) cuda::clear(device, block->data, bytes);
  if (!block) {
    block = MemoryBlock{kind, device, bytes, nullptr};
    try {
      block->data = allocate_block(kind, device, bytes);
    } catch (const Error&) {  // there may be room without what lies idle
      release_blocks(idle_.take_all());
      block->data = allocate_block(kind, device, bytes);
    }
  }
  taken_[block->data] = *block;
  return block->data;
}

bool ReusedMemory::put_back(void* data) noexcept {
  const auto found = taken_.find(data);
  if (found == taken_.end()) return false;
  const MemoryBlock block = found->second;
  taken_.erase(found);
  try {
    for (const OwnStream& own : streams_) cuda::synchronize(own.device, own.stream);
    idle_.put(block);
  } catch (const std::exception&) {  // the device has failed, as who uses it hears
    release_blocks({block});
  }
  return true;
}

void ReusedMemory::remove_stream(int device, Stream stream) noexcept {
  if (std::erase_if(streams_, [&](const OwnStream& own) { return own.stream == stream; }) == 0) {
    return;
  }
  try {
    cuda::synchronize(device, stream);
  } catch (const std::exception&) {
    // The device has failed, as who uses it hears.
  }
}

}  // namespace fathom

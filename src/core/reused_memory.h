// ReusedMemory: memory of a GPU, and page-locked memory for it, that the next of a thread's runs
// takes over from the last. Giving memory back to CUDA waits for all work of the device, and
// taking it stops the launches of every thread: runs side by side wait for each other in both.
#pragma once

#include <cstddef>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/device.h"

namespace fathom {

enum class MemoryKind { device, page_locked };

struct MemoryBlock {
  MemoryKind kind = MemoryKind::device;
  int device = 0;
  std::size_t bytes = 0;
  void* data = nullptr;
};

// Blocks that nobody uses.
class IdleBlocks {
 public:
  // The smallest block of that kind and device with so many bytes, unless more than a quarter of it
  // would lie unused.
  std::optional<MemoryBlock> take(MemoryKind kind, int device, std::size_t bytes);
  void put(const MemoryBlock& block) { blocks_.push_back({block, true}); }
  // Bytes of the device's own memory.
  std::size_t bytes(int device) const;
  // Takes out all blocks, or those that were not put here since the last call of this kind.
  std::vector<MemoryBlock> take_all();
  std::vector<MemoryBlock> take_old();

 private:
  struct Entry {
    MemoryBlock block;
    bool fresh;
  };
  std::vector<Entry> blocks_;
};

// Used by one thread.
class ReusedMemory {
 public:
  ReusedMemory() = default;
  ~ReusedMemory();
  ReusedMemory(const ReusedMemory&) = delete;
  ReusedMemory& operator=(const ReusedMemory&) = delete;

  // While one lives, what its thread allocates comes from `memory`, what it releases goes there.
  // At its end CUDA gets back what was there before and was not used.
  class Scope {
   public:
    explicit Scope(ReusedMemory& memory);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    ReusedMemory& memory_;
    ReusedMemory* before_;
  };
  static ReusedMemory* of_thread();  // of the innermost scope; null: there is none

  // As cuda::allocate() and cuda::allocate_host().
  void* take(MemoryKind kind, int device, std::size_t bytes);
  // Waits for the work of the thread's streams, and keeps the memory. False: it is not from here.
  bool put_back(void* data) noexcept;
  std::size_t idle_bytes(int device) const { return idle_.bytes(device); }

  // A stream that the thread has made: its work may use memory that is put back.
  void add_stream(int device, Stream stream) { streams_.push_back({device, stream}); }
  void remove_stream(int device, Stream stream) noexcept;  // waits for its work

 private:
  struct OwnStream {
    int device;
    Stream stream;
  };

  IdleBlocks idle_;
  std::unordered_map<void*, MemoryBlock> taken_;
  std::vector<OwnStream> streams_;
};

namespace cuda {
void clear(int device, void* data, std::size_t bytes);  // done when it returns
}

}  // namespace fathom

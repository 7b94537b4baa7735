// Buffer owns memory of one device; Arena hands out pieces of one Buffer.
#pragma once

#include <cstddef>
#include <utility>

#include "core/tensor.h"

namespace fathom {

// Zero-filled memory, freed with the Buffer. Movable, not copyable.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Device device, std::size_t bytes)
      : device_(device), bytes_(bytes), data_(allocate(device, bytes)) {}
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() { release(device_, data_, bytes_); }

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  // A tensor at `offset` bytes; throws when it does not fit.
  Tensor tensor(DType dtype, Shape shape, std::size_t offset = 0) const;

 private:
  void swap(Buffer& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(bytes_, other.bytes_);
    std::swap(data_, other.data_);
  }

  Device device_;
  std::size_t bytes_ = 0;
  void* data_ = nullptr;
};

// Stack-like memory of fixed capacity: tensors are taken in order and given back
// by returning to an earlier mark. It never grows. To learn the capacity that some code
// needs, run that code on an Arena of the meta device, which has no limit, and read its
// peak. Memory is not cleared between uses.
class Arena {
 public:
  Arena() = default;
  Arena(Device device, std::size_t capacity) : buffer_(device, capacity), capacity_(capacity) {}
  static Arena measuring() { return Arena(meta_device, ~std::size_t{0} >> 1); }

  // A tensor of undefined content, aligned to 256 bytes. Throws a run-time Error
  // that names the capacity when it does not fit.
  Tensor take(DType dtype, Shape shape);

  std::size_t mark() const { return used_; }
  void release_to(std::size_t mark) { used_ = mark; }
  std::size_t peak() const { return peak_; }
  std::size_t capacity() const { return capacity_; }
  Device device() const { return buffer_.device(); }

 private:
  Buffer buffer_;
  std::size_t capacity_ = 0, used_ = 0, peak_ = 0;
};

// Gives back all that was taken from the arena during this object's lifetime.
class ArenaScope {
 public:
  explicit ArenaScope(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
  ~ArenaScope() { arena_.release_to(mark_); }
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;

 private:
  Arena& arena_;
  std::size_t mark_;
};

}  // namespace fathom

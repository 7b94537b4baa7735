#include "core/buffer.h"

#include <algorithm>

#include "core/error.h"

namespace fathom {

Tensor Buffer::tensor(DType dtype, Shape shape, std::size_t offset) const {
  void* at = data_ ? static_cast<std::byte*>(data_) + offset : nullptr;
  Tensor result(at, dtype, shape, device_);
  if (offset > bytes_ || result.bytes() > bytes_ - offset) [[unlikely]] {
    fail_runtime("{} at byte {} does not fit in a buffer of {} bytes", to_string(result), offset,
                 bytes_);
  }
  return result;
}

Tensor Arena::take(DType dtype, Shape shape) {
  constexpr std::size_t alignment = 256;
  const std::size_t bytes = static_cast<std::size_t>(shape.elements()) * size_of(dtype);
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  if (rounded > capacity_ - used_) [[unlikely]] {
    fail_runtime("the arena of {} bytes on {} is full: {} in use, {} more wanted for {}{}",
                 capacity_, to_string(device()), used_, rounded, name_of(dtype), to_string(shape));
  }
  void* at = buffer_.data() ? static_cast<std::byte*>(buffer_.data()) + used_ : nullptr;
  used_ += rounded;
  peak_ = std::max(peak_, used_);
  return Tensor(at, dtype, shape, device());
}

}  // namespace fathom

#include "checkpoint/master_weights.h"

#include "core/buffer.h"
#include "core/device.h"
#include "core/stream.h"
#include "ops/optimizer.h"

namespace fathom {

void copy_to_device(Context& context, const Tensor& from, const Tensor& to) {
  const std::int64_t rows = to.contiguous() ? 1 : to.rows();
  const std::size_t bytes = from.bytes() / static_cast<std::size_t>(rows);
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::size_t to_offset = static_cast<std::size_t>(row * to.row_stride) * size_of(to.dtype);
    copy_bytes(static_cast<std::byte*>(to.data) + to_offset, to.device,
               static_cast<const std::byte*>(from.data) + static_cast<std::size_t>(row) * bytes,
               from.device, bytes, context.stream);
  }
  synchronize(to.device, context.stream);
}

void set_master_weights(Context& context, const Tensor& masters, const Tensor& weight,
                        const Tensor& remainder) {
  if (!remainder) return copy_to_device(context, masters, weight);
  const auto elements = static_cast<std::size_t>(masters.elements());
  const Buffer halves(cpu_device, elements * 2 * sizeof(std::uint16_t));
  const Tensor high = halves.tensor(DType::bf16, masters.shape);
  const Tensor low = halves.tensor(DType::u16, masters.shape, elements * sizeof(std::uint16_t));
  ops::split_master_weights(masters, high, low);
  copy_to_device(context, high, weight);
  copy_to_device(context, low, remainder);
}

}  // namespace fathom

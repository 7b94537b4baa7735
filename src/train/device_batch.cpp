#include "train/device_batch.h"

#include <algorithm>

#include "core/error.h"

namespace fathom {

DeviceBatch::DeviceBatch(Device device, std::int64_t tokens)
    : memory_(device, bytes(tokens)), tokens_(tokens) {}

std::size_t DeviceBatch::bytes(std::int64_t tokens) {
  // Ids, targets, positions; as many segments as tokens, and one offset more.
  return static_cast<std::size_t>(4 * tokens + 1) * sizeof(std::int32_t);
}

MicroBatch DeviceBatch::upload(Context& context, const Batch& batch) {
  std::int64_t at = 0;
  const auto put = [&](const std::vector<std::int32_t>& host) {
    const Tensor tensor =
        memory_.tensor(DType::i32, {std::ssize(host)}, static_cast<std::size_t>(at) * 4);
    copy_bytes(tensor.data, tensor.device, host.data(), cpu_device, tensor.bytes(), context.stream);
    at += std::ssize(host);
    return tensor;
  };
  require(std::ssize(batch.inputs) <= tokens_, "a batch of {} tokens, planned for {}",
          batch.inputs.size(), tokens_);
  MicroBatch result;
  result.ids = put(batch.inputs);
  result.targets = put(batch.targets);
  result.tokens.positions = put(batch.positions);
  result.tokens.segments = ops::describe_segments(put(batch.cu_seqlens), batch.cu_seqlens);
  return result;
}

}  // namespace fathom

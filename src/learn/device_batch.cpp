#include "learn/device_batch.h"

#include <cstring>

#include "core/error.h"

namespace fathom {
namespace {

// Ids, targets, loss weights, positions; as many segments as tokens, and one offset more.
std::size_t place_bytes(std::int64_t tokens) {
  static_assert(sizeof(float) == sizeof(std::int32_t));
  return static_cast<std::size_t>(5 * tokens + 1) * sizeof(std::int32_t);
}

std::size_t num_places(Device device) {
  return device.type == DeviceType::cuda ? 2 : 1;
}

}  // namespace

DeviceBatch::DeviceBatch(const OwnedStream& uploads, std::int64_t tokens)
    : uploads_(uploads.get()), tokens_(tokens) {
  const Device device = uploads.device();
  const bool staged = device.type == DeviceType::cuda;
  for (std::size_t i = 0; i < num_places(device); ++i) {
    places_.push_back({Buffer(device, place_bytes(tokens)),
                       HostBuffer(device, staged ? place_bytes(tokens) : 0), Event(device),
                       Event(device)});
  }
}

std::size_t DeviceBatch::bytes(Device device, std::int64_t tokens) {
  return num_places(device) * place_bytes(tokens);
}

MicroBatch DeviceBatch::upload(Context& context, const Batch& batch) {
  require(std::ssize(batch.inputs) <= tokens_, "a batch of {} tokens, planned for {}",
          batch.inputs.size(), tokens_);
  // All work with the batch before is queued by now.
  places_[now_].free.record(context.stream);
  now_ = (now_ + 1) % places_.size();
  Place& place = places_[now_];
  place.arrived.wait();  // its copy, of two calls ago

  auto* const begin =
      static_cast<std::byte*>(place.host.data() ? place.host.data() : place.memory.data());
  std::size_t at = 0;
  const auto put = [&]<class T>(const std::vector<T>& values) {
    const Tensor tensor = place.memory.tensor(dtype_of<T>, {std::ssize(values)}, at);
    if (!values.empty()) std::memcpy(begin + at, values.data(), tensor.bytes());
    at += tensor.bytes();
    return tensor;
  };
  MicroBatch result;
  result.ids = put(batch.inputs);
  result.targets = put(batch.targets);
  if (!batch.loss_weights.empty()) result.loss_weights = put(batch.loss_weights);
  result.tokens.positions = put(batch.positions);
  result.tokens.segments = ops::describe_segments(put(batch.cu_seqlens), batch.cu_seqlens);
  if (!place.host.data()) return result;

  place.free.block(uploads_);
  copy_bytes(place.memory.data(), place.memory.device(), place.host.data(), cpu_device, at,
             uploads_);
  place.arrived.record(uploads_);
  place.arrived.block(context.stream);
  return result;
}

}  // namespace fathom

#include "core/stream.h"

#include <cstring>

#include "core/error.h"

namespace fathom {
namespace {

bool on_cuda(Device device) {
  return device.type == DeviceType::cuda;
}

}  // namespace

OwnedStream::OwnedStream(Device device, StreamPriority priority)
    : device_(device),
      stream_(on_cuda(device) ? cuda::create_stream(device.index, priority) : nullptr) {}

OwnedStream::~OwnedStream() {
  if (stream_) cuda::destroy_stream(device_.index, stream_);
}

Event::Event(Device device)
    : device_(device), event_(on_cuda(device) ? cuda::create_event(device.index) : nullptr) {}

Event::~Event() {
  if (event_) cuda::destroy_event(event_);
}

void Event::record(Stream stream) {
  if (event_) cuda::record_event(device_.index, event_, stream);
}

void Event::block(Stream stream) const {
  if (event_) cuda::block_on_event(device_.index, stream, event_);
}

void Event::wait() const {
  if (event_) cuda::wait_for_event(device_.index, event_);
}

bool Event::reached() const {
  return !event_ || cuda::event_reached(device_.index, event_);
}

HostBuffer::HostBuffer(Device device, std::size_t bytes) : device_(device), bytes_(bytes) {
  if (bytes == 0 || device.type == DeviceType::meta) return;
  if (!on_cuda(device)) {
    data_ = allocate(cpu_device, bytes);
    return;
  }
  data_ = cuda::allocate_host(device.index, bytes);
  std::memset(data_, 0, bytes);
}

HostBuffer::~HostBuffer() {
  if (!data_) return;
  if (on_cuda(device_))
    cuda::release_host(data_);
  else
    release(cpu_device, data_, bytes_);
}

Tensor HostBuffer::tensor(DType dtype, Shape shape, std::size_t offset) const {
  const std::size_t bytes = static_cast<std::size_t>(shape.elements()) * size_of(dtype);
  require(offset + bytes <= bytes_, "a host buffer of {} bytes has no {} at {}", bytes_,
          to_string(shape), offset);
  return Tensor(static_cast<std::byte*>(data_) + offset, dtype, shape);
}

}  // namespace fathom

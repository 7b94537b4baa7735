// Streams beside the default one, events that order their work, and host memory for
// asynchronous copies. On the CPU work is done when a call returns: a stream is null there,
// and every event has been reached.
#pragma once

#include <cstddef>
#include <utility>

#include "core/tensor.h"

namespace fathom {

// Where several streams have waiting thread blocks, a GPU starts those of high priority first.
enum class StreamPriority { usual, high };

// A further stream of a device. Its work waits only for events and for its own earlier work.
class OwnedStream {
 public:
  explicit OwnedStream(Device device, StreamPriority priority = StreamPriority::usual);
  ~OwnedStream();
  OwnedStream(const OwnedStream&) = delete;
  OwnedStream& operator=(const OwnedStream&) = delete;

  Stream get() const { return stream_; }
  Device device() const { return device_; }

 private:
  Device device_;
  Stream stream_ = nullptr;
};

// A point in a stream's work. An event that was never recorded counts as reached.
class Event {
 public:
  explicit Event(Device device);
  ~Event();
  Event(Event&& other) noexcept
      : device_(other.device_), event_(std::exchange(other.event_, nullptr)) {}
  Event& operator=(Event&&) = delete;

  void record(Stream stream);       // behind all work queued on `stream` so far
  void block(Stream stream) const;  // work queued on `stream` from now on waits for the event
  void wait() const;                // blocks the calling thread until the event is reached
  bool reached() const;

 private:
  Device device_;
  void* event_ = nullptr;  // a cudaEvent_t; null on the CPU
};

// Zero-filled host memory for copies to and from `device`. For a GPU it is page-locked, so
// that copies overlap the work of the host and of the device.
class HostBuffer {
 public:
  HostBuffer() = default;
  HostBuffer(Device device, std::size_t bytes);
  HostBuffer(HostBuffer&& other) noexcept { swap(other); }
  HostBuffer& operator=(HostBuffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~HostBuffer();

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  // A tensor on the CPU at `offset` bytes; throws when it does not fit.
  Tensor tensor(DType dtype, Shape shape, std::size_t offset = 0) const;

 private:
  void swap(HostBuffer& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(bytes_, other.bytes_);
    std::swap(data_, other.data_);
  }

  Device device_;
  std::size_t bytes_ = 0;
  void* data_ = nullptr;
};

namespace cuda {
Stream create_stream(int device, StreamPriority priority);
void destroy_stream(int device, Stream stream) noexcept;
void* create_event(int device);
void* create_timed_event(int device);
double seconds_between(void* earlier, void* later);  // timed events, both reached
void destroy_event(void* event) noexcept;
void record_event(int device, void* event, Stream stream);
void block_on_event(int device, Stream stream, void* event);
void wait_for_event(int device, void* event);
bool event_reached(int device, void* event);
void* allocate_host(int device, std::size_t bytes);
void release_host(void* data) noexcept;
}  // namespace cuda

}  // namespace fathom

// Queues of work beside the main one, events that order them, and host memory that
// copies to and from a device need not wait for. On the CPU work is done when a call
// returns, so there a stream is null and an event has always happened.
#pragma once

#include <cstddef>
#include <utility>

#include "core/tensor.h"

namespace fathom {

// Whose thread blocks a GPU starts first where several streams have some that wait.
enum class StreamPriority { usual, high };

// A further stream of a device; work on it waits for nothing but events.
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

// A point in a stream's work. Until it is first recorded it counts as reached.
class Event {
 public:
  explicit Event(Device device);
  ~Event();
  Event(Event&& other) noexcept
      : device_(other.device_), event_(std::exchange(other.event_, nullptr)) {}
  Event& operator=(Event&&) = delete;

  void record(Stream stream);       // after all that is queued there now
  void block(Stream stream) const;  // what is queued there from now on waits for it
  void wait() const;                // the calling thread waits for it
  bool reached() const;

 private:
  Device device_;
  void* event_ = nullptr;  // a cudaEvent_t; null on the CPU
};

// Zero-filled host memory for copies to and from `device`: page-locked where that is a
// GPU, so that they run beside the host and the device's other work.
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

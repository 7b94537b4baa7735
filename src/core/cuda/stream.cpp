// Streams, events and page-locked memory through the CUDA runtime.
#include "core/stream.h"

#include "core/cuda/check.h"
#include "core/error.h"

namespace fathom::cuda {

Stream create_stream(int device, StreamPriority priority) {
  check(cudaSetDevice(device), "choosing the device");
  int least = 0, greatest = 0;
  check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "asking for priorities");
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking,
                                     priority == StreamPriority::high ? greatest : least),
        "a stream");
  return stream;
}

void destroy_stream(int device, Stream stream) noexcept {
  cudaSetDevice(device);
  cudaStreamDestroy(static_cast<cudaStream_t>(stream));
}

void* create_event(int device) {
  check(cudaSetDevice(device), "choosing the device");
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "an event");
  return event;
}

void* create_timed_event(int device) {
  check(cudaSetDevice(device), "choosing the device");
  cudaEvent_t event = nullptr;
  check(cudaEventCreate(&event), "an event");
  return event;
}

double seconds_between(void* earlier, void* later) {
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, static_cast<cudaEvent_t>(earlier),
                             static_cast<cudaEvent_t>(later)),
        "measuring time");
  return double{milliseconds} / 1e3;
}

void destroy_event(void* event) noexcept {
  cudaEventDestroy(static_cast<cudaEvent_t>(event));
}

void record_event(int device, void* event, Stream stream) {
  check(cudaSetDevice(device), "choosing the device");
  check(cudaEventRecord(static_cast<cudaEvent_t>(event), static_cast<cudaStream_t>(stream)),
        "recording an event");
}

void block_on_event(int device, Stream stream, void* event) {
  check(cudaSetDevice(device), "choosing the device");
  check(cudaStreamWaitEvent(static_cast<cudaStream_t>(stream), static_cast<cudaEvent_t>(event)),
        "ordering streams");
}

// In a thread that has not chosen, these would open the first GPU, which may be another's.
void wait_for_event(int device, void* event) {
  check(cudaSetDevice(device), "choosing the device");
  check(cudaEventSynchronize(static_cast<cudaEvent_t>(event)), "waiting for the device");
}

bool event_reached(int device, void* event) {
  check(cudaSetDevice(device), "choosing the device");
  const cudaError_t status = cudaEventQuery(static_cast<cudaEvent_t>(event));
  if (status == cudaErrorNotReady) return false;
  check(status, "asking for an event");
  return true;
}

void* allocate_host(int device, std::size_t bytes) {
  check(cudaSetDevice(device), "choosing the device");
  void* data = nullptr;
  const cudaError_t status = cudaHostAlloc(&data, bytes, cudaHostAllocPortable);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    fail_runtime("cannot take {:.2f} GiB of page-locked host memory; end what else runs here",
                 static_cast<double>(bytes) / (std::size_t{1} << 30));
  }
  check(status, "allocating page-locked memory");
  return data;
}

void release_host(void* data) noexcept {
  cudaFreeHost(data);
}

}  // namespace fathom::cuda

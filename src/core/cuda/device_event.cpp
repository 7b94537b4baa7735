// Events of NVIDIA GPUs, through the CUDA runtime.
#include "core/device_event.h"

#include "core/cuda/check.h"

namespace fathom::cuda {
namespace {

cudaEvent_t event_of(void* handle) {
  return static_cast<cudaEvent_t>(handle);
}

}  // namespace

void* create_event(int device) {
  check(cudaSetDevice(device), "choosing the device");
  cudaEvent_t event = nullptr;
  check(cudaEventCreate(&event), "creating an event");
  return event;
}

void destroy_event(void* event) noexcept {
  cudaEventDestroy(event_of(event));
}

void record_event(void* event, Stream stream) {
  check(cudaEventRecord(event_of(event), static_cast<cudaStream_t>(stream)), "marking a stream");
}

void wait_for_event(void* event) {
  check(cudaEventSynchronize(event_of(event)), "waiting for the device");
}

double seconds_between(void* earlier, void* later) {
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, event_of(earlier), event_of(later)), "measuring");
  return double{milliseconds} / 1e3;
}

}  // namespace fathom::cuda

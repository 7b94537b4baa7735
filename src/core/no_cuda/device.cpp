// Stands in for cuda/device.cpp in a build without CUDA: no device is ever found,
// so nothing else here can be reached.
#include "core/device.h"

#include "core/error.h"

namespace fathom::cuda {

int device_count() {
  return 0;
}

std::string problem(int) {
  return "this build of fathom has no CUDA backend; build with --preset cuda";
}

int compute_capability(int) {
  return 0;
}

std::size_t free_memory(int) {
  return 0;
}

std::string device_name(int) {
  fail_runtime("this build of fathom has no CUDA backend; build with --preset cuda");
}

void* allocate(int, std::size_t) {
  fail_runtime("this build of fathom has no CUDA backend; build with --preset cuda");
}

void release(int, void*) noexcept {}

void copy_bytes(void*, const void*, std::size_t, Stream) {
  fail_runtime("this build of fathom has no CUDA backend; build with --preset cuda");
}

void synchronize(int, Stream) {
  fail_runtime("this build of fathom has no CUDA backend; build with --preset cuda");
}

}  // namespace fathom::cuda

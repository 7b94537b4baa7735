// Stands in for cuda/device_event.cpp in a build without CUDA, where no device is
// ever found.
#include "core/device_event.h"

#include "core/error.h"

namespace fathom::cuda {
namespace {

[[noreturn]] void fail() {
  fail_runtime("this build of fathom has no CUDA backend; build with --preset cuda");
}

}  // namespace

void* create_event(int) {
  fail();
}

void destroy_event(void*) noexcept {}

void record_event(void*, Stream) {
  fail();
}

void wait_for_event(void*) {
  fail();
}

double seconds_between(void*, void*) {
  fail();
}

}  // namespace fathom::cuda

// Stands in for cuda/stream.cpp in a build without CUDA; nothing here can be reached.
#include "core/stream.h"

#include "core/error.h"

namespace fathom::cuda {
namespace {

[[noreturn]] void fail() {
  fail_runtime("this build of fathom has no CUDA backend; build with --preset cuda");
}

}  // namespace

Stream create_stream(int, StreamPriority) {
  fail();
}
void destroy_stream(int, Stream) noexcept {}
void* create_event(int) {
  fail();
}
void* create_timed_event(int) {
  fail();
}
double seconds_between(void*, void*) {
  fail();
}
void destroy_event(void*) noexcept {}
void record_event(int, void*, Stream) {
  fail();
}
void block_on_event(int, Stream, void*) {
  fail();
}
void wait_for_event(int, void*) {
  fail();
}
bool event_reached(int, void*) {
  fail();
}
void* allocate_host(int, std::size_t) {
  fail();
}
void release_host(void*) noexcept {}

}  // namespace fathom::cuda

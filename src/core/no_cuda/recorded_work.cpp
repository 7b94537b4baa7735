// Stands in for cuda/recorded_work.cpp in a build without CUDA; nothing here can be reached.
#include "core/recorded_work.h"

#include "core/error.h"

namespace fathom {

void RecordedWork::begin(Stream) {
  fail_runtime("this build of fathom has no CUDA backend; build with --preset cuda");
}
void RecordedWork::end(Stream) {}
void RecordedWork::abandon(Stream) noexcept {}
RecordedWork::~RecordedWork() = default;
void RecordedWork::launch(Stream) const {}

}  // namespace fathom

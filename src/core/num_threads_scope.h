// The number of threads for a while.
#pragma once

#include "core/parallel.h"

namespace fathom {

// While one lives, the parallel loops of the calling thread use so many threads. Runs that follow
// each other on a thread so do not inherit each other's number, and runs side by side on threads
// of their own do not see each other's.
class NumThreadsScope {
 public:
  explicit NumThreadsScope(int threads) : before_(num_threads()) { set_num_threads(threads); }
  ~NumThreadsScope() { set_num_threads(before_); }
  NumThreadsScope(const NumThreadsScope&) = delete;
  NumThreadsScope& operator=(const NumThreadsScope&) = delete;

 private:
  int before_;
};

}  // namespace fathom

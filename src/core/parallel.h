// Work spread over the CPU's cores, on OpenMP's threads. oneDNN uses OpenMP too, so both
// share one pool and do not compete for cores.
#pragma once

#include <cstdint>

namespace fathom {

// Threads that parallel loops of the calling thread use: OMP_NUM_THREADS or the
// number of cores, unless set.
int num_threads();
void set_num_threads(int threads);  // for the calling thread; at least 1

namespace detail {
// Runs body(argument, t) for t in [0, threads), at the same time or one after another, and
// returns when all are done. An exception in one is rethrown in the caller.
void run_on_threads(int threads, void (*body)(void*, int), void* argument);
// Into how many shares a loop's work is cut for each thread: more than one where the first thread
// that is free takes the next.
int shares_per_thread();
void run_with_ready_threads(void (*body)(void*), void* argument);
}  // namespace detail

// f(thread, threads) for each of `threads` (num_threads() when 0), none of which may wait for another.
template <class F>
void on_each_thread(F&& f, int threads = 0) {
  if (threads == 0) threads = num_threads();
  struct Call {
    F& f;
    int threads;
  } call{f, threads};
  detail::run_on_threads(
      threads,
      [](void* argument, int thread) {
        auto& c = *static_cast<Call*>(argument);
        c.f(thread, c.threads);
      },
      &call);
}

// The part of [0, count) for `thread`, in whole grains. It depends on the arguments alone,
// so results do not depend on timing.
struct Range {
  std::int64_t begin, end;
};
Range split_range(std::int64_t count, int thread, int threads, std::int64_t grain = 1);

// f() on the calling thread, while the others stand by for its parallel loops (core/thread_team.h):
// for work of many short loops. They do nothing else meanwhile, also not for a library that has
// parallel loops of its own: it runs on the calling thread alone. An exception leaves f as usual.
template <class F>
void with_ready_threads(F&& f) {
  auto call = [&f] { f(); };
  detail::run_with_ready_threads(
      [](void* argument) { (*static_cast<decltype(call)*>(argument))(); }, &call);
}

// Whether the calling thread runs a function of with_ready_threads(), outside of its loops.
bool threads_are_ready();

// f(begin, end) over disjoint ranges that cover [0, count). The length of each but the last
// is a multiple of `grain`. Runs on the calling thread alone when count <= grain.
template <class F>
void parallel_for(std::int64_t count, std::int64_t grain, F&& f) {
  if (count <= 0) return;
  const std::int64_t grains = (count + grain - 1) / grain;
  const int shares = num_threads() == 1 ? 1 : num_threads() * detail::shares_per_thread();
  const int threads = static_cast<int>(grains < shares ? grains : shares);
  if (threads == 1) return f(std::int64_t{0}, count);
  on_each_thread(
      [&](int thread, int total) {
        const Range range = split_range(count, thread, total, grain);
        if (range.begin < range.end) f(range.begin, range.end);
      },
      threads);
}

}  // namespace fathom

// Compiled without the thread sanitizer, as the only file (see CMakeLists.txt): the
// sanitizer cannot see libgomp's barriers. So this file announces the two orderings of a
// parallel region by hand: fork before bodies, bodies before join.
#include "core/parallel.h"

#include <omp.h>

#include <algorithm>
#include <exception>
#include <mutex>

#include "core/thread_team.h"

#ifdef FATHOM_ANNOTATE_THREADS
extern "C" {
void __tsan_acquire(void*);
void __tsan_release(void*);
}
#define FATHOM_ACQUIRE(tag) __tsan_acquire(tag)
#define FATHOM_RELEASE(tag) __tsan_release(tag)
#else
#define FATHOM_ACQUIRE(tag) static_cast<void>(tag)
#define FATHOM_RELEASE(tag) static_cast<void>(tag)
#endif

namespace fathom {

namespace {

// Of the thread that runs a function of with_ready_threads(), while no loop of it runs.
thread_local ThreadTeam* current_team = nullptr;

class TeamScope {
 public:
  explicit TeamScope(ThreadTeam* team) : before_(current_team) { current_team = team; }
  ~TeamScope() { current_team = before_; }
  TeamScope(const TeamScope&) = delete;
  TeamScope& operator=(const TeamScope&) = delete;

  ThreadTeam* before() const { return before_; }

 private:
  ThreadTeam* before_;
};

}  // namespace

int num_threads() {
  if (current_team) return std::min(current_team->threads(), omp_get_max_threads());
  return omp_in_parallel() ? 1 : omp_get_max_threads();
}

void set_num_threads(int threads) {
  omp_set_num_threads(std::max(threads, 1));
}

Range split_range(std::int64_t count, int thread, int threads, std::int64_t grain) {
  const std::int64_t grains = (count + grain - 1) / grain;
  const std::int64_t begin = grains * thread / threads * grain;
  const std::int64_t end = grains * (thread + 1) / threads * grain;
  return {std::min(begin, count), std::min(end, count)};
}

void detail::run_on_threads(int threads, void (*body)(void*, int), void* argument) {
  if (threads == 1) return body(argument, 0);
  if (current_team) {
    const TeamScope loops_inside_stay_on_their_thread(nullptr);
    return loops_inside_stay_on_their_thread.before()->run(threads, body, argument);
  }
  std::exception_ptr first_error;
  std::mutex error_mutex;
  char fork = 0, join = 0;
  FATHOM_RELEASE(&fork);
#pragma omp parallel num_threads(threads)
  {
    FATHOM_ACQUIRE(&fork);
    // The runtime may grant fewer threads than asked for; every share still runs.
    for (int t = omp_get_thread_num(); t < threads; t += omp_get_num_threads()) {
      try {
        body(argument, t);
      } catch (...) {
        const std::lock_guard lock(error_mutex);
        if (!first_error) first_error = std::current_exception();
      }
    }
    FATHOM_RELEASE(&join);
  }
  FATHOM_ACQUIRE(&join);
  if (first_error) std::rethrow_exception(first_error);
}

bool threads_are_ready() {
  return current_team != nullptr;
}

int detail::shares_per_thread() {
  return threads_are_ready() ? 4 : 1;
}

void detail::run_with_ready_threads(void (*body)(void*), void* argument) {
  const int threads = num_threads();
  if (threads == 1 || current_team) return body(argument);
  ThreadTeam team(threads);
  on_each_thread([&](int thread, int) {
    if (thread != 0) return team.help();
    const TeamScope scope(&team);
    // Of this thread's task: OMP_NUM_THREADS may give another number to what is inside a region.
    set_num_threads(threads);
    try {
      body(argument);
    } catch (...) {
      team.release();
      throw;
    }
    team.release();
  });
}

}  // namespace fathom

// CommQueue: a rank's second line of work, for collectives that run while the rank
// computes. On a CPU that is a thread; on a GPU a thread that queues on a stream of its
// own, ordered with the computing stream by events.
//
// Work runs in the order in which it is submitted. Ranks whose queues talk to each other
// submit the same collectives in the same order, on communicators that nothing else uses.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "core/context.h"
#include "core/stream.h"

namespace fathom {

enum class Overlap {
  off,  // submit() does the work at once, in the caller's stream: the same results
  on,
};

class CommQueue {
 public:
  using Work = std::function<void(Context&)>;
  using Ticket = std::int64_t;  // number of a piece of work, from 1; 0: none

  CommQueue(Device device, Overlap overlap);
  // Drops work that has not begun and waits for work that has: cancel its communicators first when
  // the other ranks may not come any more.
  ~CommQueue();
  CommQueue(const CommQueue&) = delete;
  CommQueue& operator=(const CommQueue&) = delete;

  // `work` reads and writes memory as it is after all that `context` has queued so far.
  Ticket submit(Context& context, Work work);
  // Work that `context` queues from now on runs after the ticket's. Throws the exception of the
  // work, if any. `name`: of the wait, in a trace.
  void wait(Context& context, Ticket ticket, const char* name);
  Ticket last() const { return submitted_; }
  // The calling thread waits until the work beside it has been done, on a GPU too, or has
  // failed.
  void drain();

 private:
  struct Task {
    Work work;
    Event ready, done;  // in the submitter's stream, and in this one
    Trace* trace;
  };
  void run();

  OwnedStream stream_;
  Ticket submitted_ = 0, joined_ = 0;  // the submitter's

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  Ticket done_ = 0;           // tasks that have been run; on a GPU queued, each up to its event
  std::deque<Event> events_;  // of the last of them; those before have been waited for
  std::exception_ptr failure_;
  bool stopping_ = false;
  std::thread thread_;  // none when work is done at once
};

}  // namespace fathom

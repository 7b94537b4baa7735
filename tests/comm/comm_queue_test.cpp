#include "comm/comm_queue.h"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/parallel.h"
#include "core/trace.h"

namespace fathom {
namespace {

TEST(CommQueue, WorkRunsInItsOrderBesideTheCaller) {
  Context context(cpu_device, 0);
  CommQueue queue(cpu_device, Overlap::on);
  std::promise<void> begin;
  std::vector<int> order;
  std::thread::id worker;
  const auto first = queue.submit(context, [&](Context&) {
    begin.get_future().wait();  // submit() has returned before
    worker = std::this_thread::get_id();
    order.push_back(1);
  });
  const auto second = queue.submit(context, [&](Context&) { order.push_back(2); });
  EXPECT_EQ(queue.last(), second);
  begin.set_value();
  queue.wait(context, second, "wait");
  queue.wait(context, first, "wait");  // waited for with the second
  queue.wait(context, 0, "wait");      // of no work
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_NE(worker, std::this_thread::get_id());
}

TEST(CommQueue, AnEarlierTicketIsWaitedForAlone) {
  Context context(cpu_device, 0);
  CommQueue queue(cpu_device, Overlap::on);
  std::promise<void> begin;
  int done = 0;
  const auto first = queue.submit(context, [&](Context&) { done = 1; });
  queue.submit(context, [&](Context&) {
    begin.get_future().wait();
    done = 2;
  });
  queue.wait(context, first, "wait");
  EXPECT_EQ(done, 1);
  begin.set_value();
  queue.drain();
  EXPECT_EQ(done, 2);
}

TEST(CommQueue, WithoutOverlapWorkIsDoneAtOnceInTheCallersContext) {
  Context context(cpu_device, 0);
  CommQueue queue(cpu_device, Overlap::off);
  const Context* used = nullptr;
  const auto ticket = queue.submit(context, [&](Context& its) { used = &its; });
  EXPECT_EQ(used, &context);
  EXPECT_EQ(ticket, queue.last());
  queue.wait(context, ticket, "wait");
}

// The work's own spans lie in the lane of communication, the wait for it in the caller's.
TEST(CommQueue, ATraceShowsTheWorkAndTheWaitForIt) {
  for (const Overlap overlap : {Overlap::on, Overlap::off}) {
    Trace trace(cpu_device);
    Context context(cpu_device, 0);
    context.trace = &trace;
    CommQueue queue(cpu_device, overlap);
    const auto work = [](Context& its) {
      const TraceSpan span(its, TraceKind::communication, "gather", 3);
    };
    const auto first = queue.submit(context, work);
    queue.wait(context, first, "wait for weights");
    context.trace = nullptr;
    queue.wait(context, queue.submit(context, work), "wait for nothing traced");
    const std::vector<Trace::Span> spans = trace.spans();
    ASSERT_EQ(spans.size(), overlap == Overlap::on ? 2u : 1u);
    EXPECT_STREQ(spans[0].name, "gather");
    EXPECT_EQ(spans[0].number, 3);
    EXPECT_EQ(spans[0].lane,
              overlap == Overlap::on ? TraceLane::communication : TraceLane::compute);
    if (overlap == Overlap::off) continue;
    EXPECT_STREQ(spans[1].name, "wait for weights");
    EXPECT_EQ(spans[1].kind, TraceKind::join);
    EXPECT_EQ(spans[1].lane, TraceLane::compute);
  }
}

// What the work computes with is one thread, beside those of the caller.
TEST(CommQueue, WorkHasAContextOfItsOwn) {
  Context context(cpu_device, 64);
  CommQueue queue(cpu_device, Overlap::on);
  const Context* used = nullptr;
  TraceLane lane{};
  int threads = 0;
  const auto ticket = queue.submit(context, [&](Context& its) {
    used = &its;
    lane = its.lane;
    threads = num_threads();
  });
  EXPECT_EQ(ticket, 1);
  queue.wait(context, ticket, "wait");
  EXPECT_NE(used, &context);
  EXPECT_EQ(lane, TraceLane::communication);
  EXPECT_EQ(threads, 1);
}

TEST(CommQueue, TicketsCountFromOne) {
  Context context(cpu_device, 0);
  for (const Overlap overlap : {Overlap::on, Overlap::off}) {
    CommQueue queue(cpu_device, overlap);
    EXPECT_EQ(queue.last(), 0);
    queue.drain();
    for (CommQueue::Ticket wanted = 1; wanted <= 3; ++wanted) {
      EXPECT_EQ(queue.submit(context, [](Context&) {}), wanted);
      EXPECT_EQ(queue.last(), wanted);
    }
    queue.wait(context, 3, "wait");
  }
}

// Without overlap an error is the submitter's.
TEST(CommQueue, WithoutOverlapSubmittingThrows) {
  Context context(cpu_device, 0);
  CommQueue queue(cpu_device, Overlap::off);
  EXPECT_THAT([&] { queue.submit(context, [](Context&) { fail_runtime("a rank has failed"); }); },
              testing::ThrowsMessage<Error>("a rank has failed"));
}

TEST(CommQueue, ItsEndWaitsForWhatHasBegun) {
  Context context(cpu_device, 0);
  std::promise<void> begun;
  std::atomic<int> done = 0;
  {
    CommQueue queue(cpu_device, Overlap::on);
    queue.submit(context, [&](Context&) {
      begun.set_value();
      // The queue ends meanwhile: its destructor waits here.
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      done = 1;
    });
    begun.get_future().wait();
  }
  EXPECT_EQ(done, 1);
}

TEST(CommQueue, WaitingThrowsWhatTheWorkThrewAndNothingRunsAfterIt) {
  Context context(cpu_device, 0);
  CommQueue queue(cpu_device, Overlap::on);
  bool after = false;
  queue.submit(context, [](Context&) { fail_runtime("a rank has failed"); });
  const auto ticket = queue.submit(context, [&](Context&) { after = true; });
  EXPECT_THAT([&] { queue.wait(context, ticket, "wait"); },
              testing::ThrowsMessage<Error>("a rank has failed"));
  queue.drain();  // does not wait for what never runs
  EXPECT_FALSE(after);
}

}  // namespace
}  // namespace fathom

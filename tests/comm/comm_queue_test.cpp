#include "comm/comm_queue.h"

#include <gmock/gmock.h>

#include <future>

#include "core/error.h"

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

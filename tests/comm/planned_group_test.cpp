#include "comm/planned_group.h"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "comm/comm_queue.h"
#include "core/trace.h"

namespace fathom {
namespace {

// All that an observer is told, as text.
struct Listener final : OperationObserver, ExchangeObserver {
  void observe(Context&, const Operation& operation) override { heard.push_back(operation.name); }
  void exchange(Context& context, const Exchange& e) override {
    heard.push_back(fmt::format("{} {} of {} x{}: {}", static_cast<int>(context.lane),
                                static_cast<int>(e.kind), e.ranks, e.stride, e.bytes));
  }
  void submit(const void*, std::int64_t ticket) override {
    heard.push_back(fmt::format("submit {}", ticket));
  }
  void wait(const void*, std::int64_t ticket) override {
    heard.push_back(fmt::format("wait {}", ticket));
  }
  std::vector<std::string> heard;
};

Tensor planned(std::int64_t elements) {
  return Tensor(nullptr, DType::f32, {elements}, meta_device);
}

struct PlannedGroups : testing::Test {
  PlannedGroups() { context.observer = &listener; }
  Listener listener;
  Context context{meta_device, 0};
};

TEST_F(PlannedGroups, TellTheWholeTensorOfACollective) {
  PlannedGroup group({1, 4, 8}, ExchangeWay::peer_memory);
  EXPECT_EQ(group.rank(), 1);
  EXPECT_EQ(group.size(), 4);
  group.all_reduce(context, planned(16), Reduction::sum);
  group.reduce_scatter(context, planned(16), planned(4));
  group.all_gather(context, planned(4), planned(16));
  EXPECT_THAT(listener.heard,
              testing::ElementsAre("0 0 of 4 x8: 64", "0 1 of 4 x8: 64", "0 2 of 4 x8: 64"));
}

TEST_F(PlannedGroups, TellABroadcastByItsTensor) {
  PlannedGroup group({1, 4, 8}, ExchangeWay::peer_memory);
  group.broadcast(context, planned(3), 2);
  EXPECT_THAT(listener.heard, testing::ElementsAre("0 3 of 4 x8: 12"));
  EXPECT_TRUE(group.only_planned());
  EXPECT_EQ(group.planned_way(cpu_device), ExchangeWay::peer_memory);
}

TEST_F(PlannedGroups, TellTheLaneOfWhatIsBegunAndOfWhatIsAdded) {
  PlannedGroup group({0, 2, 4}, ExchangeWay::one_gpu);
  Context beside{meta_device, 0};
  beside.observer = &listener;
  beside.lane = TraceLane::communication;
  group.begin_reduce_scatter(beside, planned(8), planned(4))(context);
  EXPECT_THAT(listener.heard, testing::ElementsAre("1 4 of 2 x4: 32", "0 5 of 2 x4: 32"));
}

TEST_F(PlannedGroups, TellNobodyWithoutAnObserver) {
  context.observer = nullptr;
  PlannedGroup group({0, 2, 1}, ExchangeWay::nccl);
  group.all_reduce(context, planned(16), Reduction::sum);
  EXPECT_THAT(listener.heard, testing::IsEmpty());
}

TEST_F(PlannedGroups, OfOneExchangeNothing) {
  PlannedGroup group({0, 1, 1}, ExchangeWay::nccl);
  group.all_reduce(context, planned(16), Reduction::sum);
  EXPECT_THAT(listener.heard, testing::IsEmpty());
}

TEST_F(PlannedGroups, BeginASumInTwoStepsUnlessNcclDoesIt) {
  PlannedGroup peers({0, 2, 1}, ExchangeWay::peer_memory);
  const auto add = peers.begin_reduce_scatter(context, planned(8), planned(4));
  ASSERT_TRUE(add);
  add(context);
  PlannedGroup nccl({0, 2, 1}, ExchangeWay::nccl);
  EXPECT_FALSE(nccl.begin_reduce_scatter(context, planned(8), planned(4)));
  EXPECT_THAT(listener.heard,
              testing::ElementsAre("0 4 of 2 x1: 32", "0 5 of 2 x1: 32", "0 1 of 2 x1: 32"));
}

TEST_F(PlannedGroups, SplitIntoThePlaceThatTheCallerKnows) {
  PlannedGroup world({9, 64, 1}, ExchangeWay::nccl);
  const auto data = world.split_at(0, "data", {2, 4, 8});
  data->all_reduce(context, planned(1), Reduction::sum);
  data->split(0, "data, beside")->all_reduce(context, planned(1), Reduction::sum);
  EXPECT_THAT(listener.heard, testing::ElementsAre("0 0 of 4 x8: 4", "0 0 of 4 x8: 4"));
}

TEST_F(PlannedGroups, AQueueTellsWhatIsSubmittedAndWaitedFor) {
  PlannedGroup group({0, 2, 1}, ExchangeWay::nccl);
  CommQueue queue(meta_device, Overlap::on);
  const auto work = [&](Context& beside) { group.all_gather(beside, planned(1), planned(2)); };
  queue.submit(context, work);
  const CommQueue::Ticket second = queue.submit(context, work);
  queue.wait(context, second, "wait");
  queue.wait(context, 1, "wait");  // waited for with the second
  EXPECT_THAT(listener.heard, testing::ElementsAre("submit 1", "1 2 of 2 x1: 8", "submit 2",
                                                   "1 2 of 2 x1: 8", "wait 2"));
}

}  // namespace
}  // namespace fathom

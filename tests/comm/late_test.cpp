// Ranks that are threads, and what a GPU waits for too long: this program's exchange stands in
// for the one of a GPU, whose thread tells that and ends the waiting.
#include <gtest/gtest.h>

#include <map>
#include <mutex>

#include "comm/device_exchange.h"
#include "comm/thread_ranks.h"
#include "core/error.h"

namespace fathom {
namespace {

std::mutex mutex;
std::map<const Communicator*, ExchangeTimeout> timeouts;  // of the groups that there are

class LateExchange final : public DeviceExchange {
 public:
  LateExchange(const Communicator& group, ExchangeTimeout timeout) : group_(group) {
    const std::lock_guard lock(mutex);
    timeouts[&group] = std::move(timeout);
  }
  ~LateExchange() override {
    const std::lock_guard lock(mutex);
    timeouts.erase(&group_);
  }
  bool all_reduce(Context&, Tensor, Reduction) override { return false; }
  bool reduce_scatter(Context&, Tensor, Tensor) override { return false; }
  std::function<void(Context&)> begin_reduce_scatter(Context&, Tensor, Tensor) override {
    return {};
  }
  bool all_gather(Context&, Tensor, Tensor) override { return false; }
  bool broadcast(Context&, Tensor, int) override { return false; }
  void connect(Device, const CollectiveCapacity&) override {}
  ExchangeWay planned_way(Device) const override { return ExchangeWay::host_memory; }
  void open(Device, std::span<const Route>, const RouteCapacity&) override {}
  bool send(Context&, Tensor, int, int) override { return false; }
  bool receive(Context&, Tensor, int, int) override { return false; }
  void cancel() override {}

 private:
  const Communicator& group_;
};

std::string failure_of(const std::function<void(Communicator&)>& body) {
  try {
    run_thread_ranks(2, {7}, body);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

void wait_too_long(const Communicator& group) {
  ExchangeTimeout timeout;
  {
    const std::lock_guard lock(mutex);
    timeout = timeouts.at(&group);
  }
  timeout.late("all-reduce");
}

constexpr const char* message =
    "rank 0: all-reduce in the group 'world' waited 7 s on the GPU for rank 1: it hangs, or its "
    "machine does not answer";

TEST(LateOperation, IsToldWhenNoRankThrows) {
  EXPECT_EQ(failure_of([](Communicator& world) {
              if (world.rank() == 0) wait_too_long(world);
            }),
            message);
}

TEST(LateOperation, IsToldInsteadOfWhatItsEndMakesTheRanksThrow) {
  EXPECT_EQ(failure_of([](Communicator& world) {
              if (world.rank() == 1) return world.barrier();
              wait_too_long(world);
              fail_runtime("another rank has failed, or this one");
            }),
            message);
}

}  // namespace

std::unique_ptr<DeviceExchange> make_device_exchange(Communicator& group, ExchangeOptions options) {
  return std::make_unique<LateExchange>(group, std::move(options.timeout));
}

}  // namespace fathom

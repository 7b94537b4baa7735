// Collectives made of messages between pairs of ranks: every rank sends to every other one
// directly, so that a sum has a fixed order, and a rank that waits can name the late one.
// Tensors of a GPU go from GPU to GPU where they can (comm/device_exchange.h), else through
// host memory.
#pragma once

#include <atomic>
#include <optional>

#include "comm/device_exchange.h"
#include "comm/transport.h"

namespace fathom {

class PeerCommunicator final : public Communicator {
 public:
  // `host_labels`: of the ranks' hosts, for messages; empty where all share one.
  PeerCommunicator(std::unique_ptr<Transport> transport, CommunicatorOptions options,
                   std::string name, std::vector<std::string> rank_names,
                   std::vector<std::string> host_labels = {});
  ~PeerCommunicator() override;

  int rank() const override { return transport_->rank(); }
  int size() const override { return transport_->size(); }
  void all_reduce(Context& context, Tensor x, Reduction reduction) override;
  void reduce_scatter(Context& context, Tensor from, Tensor to) override;
  std::function<void(Context&)> begin_reduce_scatter(Context& context, Tensor from,
                                                     Tensor to) override;
  void all_gather(Context& context, Tensor from, Tensor to) override;
  void broadcast(Context& context, Tensor x, int root) override;
  void connect(Device device, const CollectiveCapacity& capacity) override;
  ExchangeWay planned_way(Device device) const override;
  void open(Device device, std::span<const Route> routes, const RouteCapacity& capacity) override;
  void send(Context& context, Tensor x, int to, int tag) override;
  void receive(Context& context, Tensor x, int from, int tag) override;
  void expect(Tensor x, int from, int tag) override;
  void barrier() override;
  std::vector<std::byte> gather(std::span<const std::byte> bytes) override;
  std::unique_ptr<Communicator> split(int color, const std::string& name) override;
  void cancel() override;
  void throw_if_failed() override { transport_->throw_if_failed(); }
  void set_timeout(double seconds) override { options_.timeout_seconds = seconds; }
  double timeout() const override { return options_.timeout_seconds; }
  void name_ranks(std::vector<std::string> names) override;
  // "rank 5 (pp 1, dp 0, tp 1)", among several hosts "rank 5 (pp 1, dp 0, tp 1) on node7".
  std::string name_of(int rank) const override;
  // As the constructor has them, before other threads ask for names.
  void name_hosts(std::vector<std::string> labels);

 private:
  void fail_late(const char* operation);
  void post(Context& context, Tensor x, int to, int tag);
  Transport::Message take(const char* operation, int from, int tag, std::size_t bytes);
  void take_into(Context& context, const char* operation, Tensor x, int from, int tag);
  void require_reducible(const char* operation, Tensor x) const;
  void require_parts(Tensor from, Tensor to) const;
  // A collective that connect() was told of, if there was one.
  void require_room(const char* operation, Tensor x,
                    std::size_t CollectiveCapacity::*largest) const;
  void require_room_to_sum(const char* operation, const Context& context, Tensor whole) const;
  void scatter_sums(Context& context, Tensor from, Tensor to);
  void require_other(const char* operation, int other) const;
  void reduce_part(Context& context, const char* operation, Tensor mine, Tensor to,
                   Reduction reduction);

  std::unique_ptr<Transport> transport_;
  CommunicatorOptions options_;
  std::string name_;
  std::atomic<std::shared_ptr<const std::vector<std::string>>> rank_names_;
  std::vector<std::string> host_labels_;        // empty: all on one host
  std::optional<CollectiveCapacity> capacity_;  // once connected
  std::unique_ptr<DeviceExchange> exchange_;    // ends first: its threads ask for names
};

}  // namespace fathom

// A group that passes every call on to another one, for tests that look at some of them or
// answer some themselves.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "comm/communicator.h"

namespace fathom::test {

class ForwardingCommunicator : public Communicator {
 public:
  explicit ForwardingCommunicator(Communicator& group) : group_(group) {}

  int rank() const override { return group_.rank(); }
  int size() const override { return group_.size(); }
  void all_reduce(Context& c, Tensor x, Reduction r) override { group_.all_reduce(c, x, r); }
  void reduce_scatter(Context& c, Tensor from, Tensor to) override {
    group_.reduce_scatter(c, from, to);
  }
  std::function<void(Context&)> begin_reduce_scatter(Context& c, Tensor from, Tensor to) override {
    return group_.begin_reduce_scatter(c, from, to);
  }
  void all_gather(Context& c, Tensor from, Tensor to) override { group_.all_gather(c, from, to); }
  void broadcast(Context& c, Tensor x, int root) override { group_.broadcast(c, x, root); }
  void connect(Device device, const CollectiveCapacity& capacity) override {
    group_.connect(device, capacity);
  }
  ExchangeWay planned_way(Device device) const override { return group_.planned_way(device); }
  void open(Device d, std::span<const Route> routes, const RouteCapacity& capacity) override {
    group_.open(d, routes, capacity);
  }
  void send(Context& c, Tensor x, int to, int tag) override { group_.send(c, x, to, tag); }
  void receive(Context& c, Tensor x, int from, int tag) override {
    group_.receive(c, x, from, tag);
  }
  void expect(Tensor x, int from, int tag) override { group_.expect(x, from, tag); }
  void barrier() override { group_.barrier(); }
  std::vector<std::byte> gather(std::span<const std::byte> bytes) override {
    return group_.gather(bytes);
  }
  std::unique_ptr<Communicator> split(int color, const std::string& name) override {
    return group_.split(color, name);
  }
  void cancel() override { group_.cancel(); }
  void throw_if_failed() override { group_.throw_if_failed(); }
  void set_timeout(double seconds) override { group_.set_timeout(seconds); }
  double timeout() const override { return group_.timeout(); }
  void name_ranks(std::vector<std::string> names) override { group_.name_ranks(std::move(names)); }
  std::string name_of(int rank) const override { return group_.name_of(rank); }

 protected:
  Communicator& group_;
};

}  // namespace fathom::test

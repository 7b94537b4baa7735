// A group whose other ranks do not take part: this rank's own data replace theirs. A rank runs its
// part of a step through it by itself, so that its device gets ready. It has collectives of tensors
// alone: messages and splits are errors.
#pragma once

#include "comm/communicator.h"

namespace fathom {

class EchoGroup : public Communicator {
 public:
  EchoGroup(int rank, int size) : rank_(rank), size_(size) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  // Sums are this rank's part alone, so that numbers keep their size.
  void all_reduce(Context&, Tensor, Reduction) override {}
  void reduce_scatter(Context& context, Tensor from, Tensor to) override;
  std::function<void(Context&)> begin_reduce_scatter(Context& context, Tensor from,
                                                     Tensor to) override;
  void all_gather(Context& context, Tensor from, Tensor to) override;
  void broadcast(Context&, Tensor, int) override {}
  void connect(Device, const CollectiveCapacity&) override {}
  ExchangeWay planned_way(Device) const override { return ExchangeWay::host_memory; }
  void open(Device, std::span<const Route>, const RouteCapacity&) override {}
  // Throw a runtime Error: there is nobody to talk to, and nothing to split.
  void send(Context&, Tensor, int, int) override;
  void receive(Context&, Tensor, int, int) override;
  void expect(Tensor, int, int) override;
  std::unique_ptr<Communicator> split(int color, const std::string& name) override;
  void barrier() override {}
  std::vector<std::byte> gather(std::span<const std::byte> bytes) override;
  void cancel() override {}
  void throw_if_failed() override {}
  void set_timeout(double) override {}  // it waits for nobody
  double timeout() const override { return 0; }
  void name_ranks(std::vector<std::string>) override {}
  std::string name_of(int rank) const override;

 private:
  int rank_, size_;
};

}  // namespace fathom

// GPUs in nodes, on paper: how long ranks take to exchange tensors. Ranks fill node after node, as
// launchers place them, so that the ranks of a tensor group are neighbours.
#pragma once

#include <cstddef>
#include <cstdint>

#include "comm/capacity.h"
#include "comm/exchange_observer.h"
#include "scaling/card_profile.h"

namespace fathom::scaling {

// The way that a tensor takes. Exchanges on the same link share its bandwidth.
enum class Link : std::uint8_t { node, network };

struct ExchangeTime {
  Link link = Link::node;
  double seconds = 0;     // when nothing else is on the link
  double contention = 0;  // share of its speed that computing loses meanwhile
};

class Cluster {
 public:
  // Throws an input Error for impossible numbers.
  Cluster(CardProfile card, std::int64_t gpus, std::int64_t gpus_per_node);

  const CardProfile& card() const { return card_; }
  int gpus() const { return gpus_; }
  int gpus_per_node() const { return gpus_per_node_; }
  // How much longer the slowest of the cards computes than the mean one. All ranks wait for it.
  double slowest() const { return slowest_; }
  int nodes() const { return (gpus_ + gpus_per_node_ - 1) / gpus_per_node_; }

  // How GPUs of one node talk: on a single node the ranks are threads that read each other's
  // memory, where the config lets them (parallel.peer_memory); on several they are processes, and
  // NCCL takes the tensors.
  ExchangeWay way(bool peer_memory) const;

  // All but add_parts, which is an operation of the rank itself.
  ExchangeTime time_of(const Exchange& exchange, ExchangeWay way) const;
  // A message of `bytes` to the rank that is `stride` ranks away.
  ExchangeTime time_of_message(std::size_t bytes, std::int64_t stride, ExchangeWay way) const;

 private:
  const LinkProfile& inside(ExchangeWay way) const;

  CardProfile card_;
  int gpus_, gpus_per_node_;
  double slowest_;
};

}  // namespace fathom::scaling

#include "scaling/cluster.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "core/error.h"

namespace fathom::scaling {
namespace {

constexpr std::int64_t most_gpus = 1 << 20;

// Of a collective of n ranks on one link, of which each receives `bytes`.
double link_seconds(const LinkProfile& link, int ranks, double bytes) {
  return link.latency + (ranks - 2) * link.latency_per_rank + bytes / link.bandwidth;
}

// How often the tensor goes through a rank's link: an all-reduce scatters the sum and gathers it.
double rounds_of(Exchange::Kind kind) {
  return kind == Exchange::Kind::all_reduce ? 2 : 1;
}

// The largest of n draws of a normal distribution, in standard deviations above the mean, as is
// expected (Blom, 1958).
double largest_of(int n) {
  const double share = (n - 0.375) / (n + 0.25);
  double low = 0, high = 8;
  constexpr int halvings = 50;
  for (int i = 0; i < halvings; ++i) {
    const double middle = (low + high) / 2;
    const double below = 1 - std::erfc(middle / std::numbers::sqrt2) / 2;
    (below < share ? low : high) = middle;
  }
  return low;
}

int checked(const char* option, std::int64_t value) {
  if (value < 1 || value > most_gpus) {
    fail_input("{} is {}: use a number from 1 to {}", option, value, most_gpus);
  }
  return static_cast<int>(value);
}

}  // namespace

Cluster::Cluster(CardProfile card, std::int64_t gpus, std::int64_t gpus_per_node)
    : card_(std::move(card)),
      gpus_(checked("--gpus", gpus)),
      gpus_per_node_(std::min(checked("--gpus-per-node", gpus_per_node), gpus_)),
      slowest_(1 + card_.spread * largest_of(gpus_)) {
  if (gpus_ % gpus_per_node_ != 0) {
    fail_input("--gpus ({}) is not a multiple of --gpus-per-node ({})", gpus_, gpus_per_node_);
  }
}

ExchangeWay Cluster::way(bool peer_memory) const {
  return nodes() == 1 && peer_memory ? ExchangeWay::peer_memory : ExchangeWay::nccl;
}

const LinkProfile& Cluster::inside(ExchangeWay way) const {
  return way == ExchangeWay::peer_memory ? card_.peer : card_.nccl;
}

// Over several nodes, each node's ranks receive what the others hold, each its share by its own
// adapter, and pass it on inside the node meanwhile.
ExchangeTime Cluster::time_of(const Exchange& e, ExchangeWay way) const {
  const LinkProfile& node = inside(way);
  const int local = std::clamp(gpus_per_node_ / e.stride, 1, e.ranks);
  const int nodes = (e.ranks + local - 1) / local;
  const double bytes = rounds_of(e.kind) * static_cast<double>(e.bytes);
  const double received = bytes * (e.ranks - 1) / e.ranks;
  if (nodes == 1) return {Link::node, link_seconds(node, e.ranks, received), node.contention};
  const double by_network = bytes * (nodes - 1) / nodes / local;
  double seconds = link_seconds(card_.network, nodes, by_network);
  if (local > 1) {
    const double inside_node = link_seconds(node, local, received);
    seconds = std::max(seconds, inside_node) + node.latency;
  }
  return {Link::network, seconds, card_.network.contention};
}

ExchangeTime Cluster::time_of_message(std::size_t bytes, std::int64_t stride,
                                      ExchangeWay way) const {
  const bool same_node = stride < gpus_per_node_;
  const LinkProfile& link = same_node ? inside(way) : card_.network;
  return {same_node ? Link::node : Link::network,
          link.latency + static_cast<double>(bytes) / link.bandwidth, link.contention};
}

}  // namespace fathom::scaling

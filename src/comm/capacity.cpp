#include "comm/capacity.h"

#include <algorithm>

namespace fathom {
namespace {

constexpr std::size_t mebi = std::size_t{1} << 20;

// NCCL keeps this of each GPU for a communicator. Assumed, not measured: a receive buffer of
// 4 MiB (its NCCL_BUFFSIZE) and two of its low-latency protocols, of 4.7 and 0.5 MiB, for each of
// the 24 channels that it uses at most between GPUs of one machine, are 221 MiB; the rest is for
// its streams and tables.
constexpr std::size_t nccl_group_bytes = 256 * mebi;
// Of a route's communicator, which has 2 channels (comm/cuda/nccl_group.cpp).
constexpr std::size_t nccl_route_bytes = 32 * mebi;

// A slot takes at least this from a rank, and at most that from all others.
constexpr std::size_t least_fetch = 2 * mebi, most_fetched = 64 * mebi;

// Places for begun sums. A GPU may still read those that the host has freed: the host then has
// others to go on with.
constexpr int least_begun = 4;

// A rank's part of a tensor of so many bytes, whose elements have at most 4. Parts differ by one
// element.
std::size_t part_bytes(std::size_t bytes, int ranks) {
  const std::size_t unit = sizeof(float) * static_cast<std::size_t>(ranks);
  return (bytes + unit - 1) / unit * sizeof(float);
}

// Messages of the present collective, and of the one before where other ranks are late, to all
// others together; and this rank's copy, sum in f32 and result of its part.
std::size_t host_bytes(int ranks, const CollectiveCapacity& c) {
  const auto others = static_cast<std::size_t>(ranks - 1);
  const std::size_t whole = std::min(c.bytes, small_tensor * sizeof(float));
  const std::size_t messages = std::max(c.bytes, others * whole);
  const std::size_t part = std::max(part_bytes(c.bytes, ranks), whole);
  return 2 * messages + 4 * part + others * c.broadcast_bytes;
}

}  // namespace

CollectiveCapacity larger(const CollectiveCapacity& a, const CollectiveCapacity& b) {
  return {std::max(a.bytes, b.bytes),
          std::max(a.broadcast_bytes, b.broadcast_bytes),
          std::max(a.displaced_bytes, b.displaced_bytes),
          std::max(a.begun_bytes, b.begun_bytes),
          std::max(a.begun, b.begun),
          a.sums_beside || b.sums_beside};
}

bool is_displaced(Tensor from, Tensor to, int rank) {
  const auto* const begin = static_cast<const std::byte*>(from.data);
  const auto* const target = static_cast<const std::byte*>(to.data);
  const std::size_t own = static_cast<std::size_t>(rank) * to.bytes();
  return target + to.bytes() > begin && target < begin + from.bytes() && target != begin + own;
}

namespace exchange {

std::size_t fetch_bytes(std::size_t bytes, int ranks) {
  const auto whole_lines = [](std::size_t n) { return (n + 255) / 256 * 256; };
  const auto others = static_cast<std::size_t>(ranks - 1);
  const std::size_t most = std::max(least_fetch, whole_lines(most_fetched / others));
  return std::clamp(whole_lines(bytes / fetch_slots), least_fetch, most);
}

// On one GPU a begun sum is done at once, by a reduce_scatter.
std::size_t displaced_bytes(ExchangeWay way, const CollectiveCapacity& c) {
  return way == ExchangeWay::one_gpu ? std::max(c.displaced_bytes, c.begun_bytes)
                                     : c.displaced_bytes;
}

std::size_t fetched_bytes(ExchangeWay way, int ranks, const CollectiveCapacity& c) {
  if (way != ExchangeWay::peer_memory || !c.sums_beside) return 0;
  return fetch_slots * static_cast<std::size_t>(ranks - 1) *
         fetch_bytes(part_bytes(c.bytes, ranks), ranks);
}

int begun_places(ExchangeWay way, const CollectiveCapacity& c) {
  return way == ExchangeWay::peer_memory && c.begun > 0 ? std::max(c.begun, least_begun) : 0;
}

std::size_t begun_bytes(int ranks, const CollectiveCapacity& c) {
  return c.begun_bytes * static_cast<std::size_t>(ranks - 1);
}

}  // namespace exchange

std::size_t exchange_bytes(ExchangeWay way, int ranks, const CollectiveCapacity& c) {
  if (ranks == 1) return 0;
  switch (way) {
    case ExchangeWay::host_memory:
      return host_bytes(ranks, c);
    case ExchangeWay::one_gpu:
    case ExchangeWay::peer_memory:
      break;
    case ExchangeWay::nccl:
      return nccl_group_bytes;
  }
  return exchange::displaced_bytes(way, c) + exchange::fetched_bytes(way, ranks, c) +
         static_cast<std::size_t>(exchange::begun_places(way, c)) * exchange::begun_bytes(ranks, c);
}

std::size_t exchange_bytes(ExchangeWay way, RouteEnd end, const RouteCapacity& capacity) {
  const std::size_t copies =
      end == RouteEnd::sender ? static_cast<std::size_t>(capacity.messages) * capacity.bytes : 0;
  return way == ExchangeWay::nccl ? copies + nccl_route_bytes : copies;
}

}  // namespace fathom

// The memory that the ranks of a group take to pass tensors to each other. Whoever issues the
// messages states the largest of them before the run; Communicator::connect() and open() take the
// memory for these, and nothing is taken in the middle of a run.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/tensor.h"

namespace fathom {

// An all_reduce of fewer elements through host memory is sent whole to every rank: one round of
// messages, not two.
inline constexpr std::int64_t small_tensor = 4096;

// The largest collectives of tensors that a group will be asked for. Sizes are in bytes.
struct CollectiveCapacity {
  // The whole tensor: all_reduce's x, reduce_scatter's `from`, all_gather's `to`.
  std::size_t bytes = 0;
  std::size_t broadcast_bytes = 0;
  // `to` of a reduce_scatter that lies within `from`, where another rank's part is.
  std::size_t displaced_bytes = 0;
  // `to` of a begin_reduce_scatter.
  std::size_t begun_bytes = 0;
  // Sums that have begun and are not added yet, at most at one time.
  int begun = 0;
  // Whether all_reduce or reduce_scatter run in the communication lane, beside the computing.
  bool sums_beside = false;
  bool operator==(const CollectiveCapacity&) const = default;
};

// The smallest capacity that holds both.
CollectiveCapacity larger(const CollectiveCapacity& a, const CollectiveCapacity& b);

// Whether `to` of a reduce_scatter lies within `from`, where another rank's part is that others
// read.
bool is_displaced(Tensor from, Tensor to, int rank);

// What is on its way on a route at once, at most. More messages make the sender wait.
struct RouteCapacity {
  std::size_t bytes = 0;  // of a message
  int messages = 1;
};

// How the tensors of a group's ranks travel.
enum class ExchangeWay {
  host_memory,  // messages of the transport: tensors of CPUs, and of GPUs that have no other way
  one_gpu,      // threads of one process that share a GPU read each other's tensors
  peer_memory,  // the same between GPUs
  nccl,
};

// Bytes of the ranks' device that a group of `ranks` takes for its collectives; 0 for one rank.
// With host memory: of the host, at most, for messages and sums that live as long as a collective.
std::size_t exchange_bytes(ExchangeWay way, int ranks, const CollectiveCapacity& capacity);

// The same of a route, at one of its ends.
enum class RouteEnd { sender, receiver };
std::size_t exchange_bytes(ExchangeWay way, RouteEnd end, const RouteCapacity& capacity);

// The parts of exchange_bytes() of peer memory and of one GPU, as ExchangeMemory takes them.
namespace exchange {

// Sums beside the computing copy the others' parts into so many slots in turn.
inline constexpr std::size_t fetch_slots = 4;
// Bytes that one slot takes from each other rank, for a sum of `bytes`.
std::size_t fetch_bytes(std::size_t bytes, int ranks);

std::size_t displaced_bytes(ExchangeWay way, const CollectiveCapacity& capacity);
std::size_t fetched_bytes(ExchangeWay way, int ranks, const CollectiveCapacity& capacity);
// Places for the others' parts of sums that have begun, and the bytes of one.
int begun_places(ExchangeWay way, const CollectiveCapacity& capacity);
std::size_t begun_bytes(int ranks, const CollectiveCapacity& capacity);

}  // namespace exchange

}  // namespace fathom

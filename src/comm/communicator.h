// Communicator: collectives and messages between the ranks of a group. A run has one for the
// world, and one split off it for each axis of the layout (tensor, data, pipeline).
//
// All ranks of a group call the same collectives in the same order, with tensors
// of the same shape and type; f32, bf16 and i32 can be reduced, every type can be
// moved. Sums are taken in f32 in the order of the ranks, whatever arrives first,
// so every rank gets the same bits every time. Tensors of the meta device are planned memory
// only: calls with them do nothing.
//
// A group of one waits for nobody and connects nothing: a collective copies `from` to `to` where
// they differ, and does nothing else.
//
// A rank that waits longer than the timeout throws a runtime Error that names the rank it waits
// for. When a rank fails, every other rank that waits, then or later, throws with the failed
// rank's message.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "comm/capacity.h"
#include "core/context.h"

namespace fathom {

enum class Reduction { sum, max };
// Whether values of the type can be reduced.
bool is_reducible(DType dtype);

// The messages from one rank of a group to another whose tags are even, or those whose tags are
// odd.
struct Route {
  int from = 0, to = 0;
  int parity = 0;  // tag % 2
  auto operator<=>(const Route&) const = default;
};

struct CommunicatorOptions {
  double timeout_seconds = 300;  // longest wait for a rank that does not come
  // Whether GPUs of one process read each other's memory, where they can, instead of using NCCL.
  bool peer_memory = false;
  // That one call to a disk may take a rank while others wait for it; 0: no limit.
  double disk_timeout_seconds = 1800;
};

// A rank's place in a group.
struct GroupPlace {
  int rank = 0, size = 1;
  int stride = 1;  // ranks of the world from one rank of the group to the next
};

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // x = the reduction of all ranks' x.
  virtual void all_reduce(Context& context, Tensor x, Reduction reduction = Reduction::sum) = 0;
  // to = this rank's part of the sum of all ranks' `from`, which is `size` parts of
  // to's shape, one after another. `to` may be any of these parts; then this rank's own part of
  // `from` may be overwritten too, and the others keep their values.
  virtual void reduce_scatter(Context& context, Tensor from, Tensor to) = 0;
  // The same in two steps, for a queue beside the computing. This call moves the others' parts;
  // the function that it returns adds them, in the stream of the context that it is given. Call
  // that once the stream is ordered behind this call's, and leave `from` unchanged until then.
  // Empty: the sum is done already.
  virtual std::function<void(Context&)> begin_reduce_scatter(Context& context, Tensor from,
                                                             Tensor to) = 0;
  // to = all ranks' `from`, one after another; `from` may be this rank's part of `to`.
  virtual void all_gather(Context& context, Tensor from, Tensor to) = 0;
  // x = x of rank `root`.
  virtual void broadcast(Context& context, Tensor x, int root) = 0;

  // Connects the ranks for collectives of tensors and takes the memory for these; `device` is
  // this rank's. Collective, with the same capacity on all ranks. Again: makes room for the larger
  // capacity. From then on a collective beyond the capacity throws a runtime Error. Before, a
  // tensor of a GPU does: taking memory while one GPU waits for another may end in each waiting
  // for the other. Tensors of the host then need no connection and have no limit.
  virtual void connect(Device device, const CollectiveCapacity& capacity) = 0;
  // How tensors of the device will travel between the ranks, for planning memory before they
  // connect. Where that depends on which GPUs the other ranks have: the way that takes most.
  virtual ExchangeWay planned_way(Device device) const = 0;
  // Connects the ends of routes, for messages of the tensors of GPUs, and takes their memory.
  // Collective: all ranks pass the same routes, also those between others, and know then how
  // each goes. A route that is open already stays, with its capacity.
  virtual void open(Device device, std::span<const Route> routes,
                    const RouteCapacity& capacity) = 0;
  // To and from another rank. Within the route's capacity the caller never waits to send; x may
  // change when this returns.
  // Messages of one pair of ranks and one tag (from 0) arrive in the order in which they were
  // sent. Throws a runtime Error for a message to oneself, and for a tensor of a GPU on a route
  // that was not opened. Tensors of the host need no route.
  virtual void send(Context& context, Tensor x, int to, int tag) = 0;
  virtual void receive(Context& context, Tensor x, int from, int tag) = 0;
  // Announces that the next receive() of this rank and tag takes a tensor like x, so that the
  // message can arrive early. Call it once for each message, in the order of the receives.
  virtual void expect(Tensor x, int from, int tag) = 0;
  virtual void barrier() = 0;
  // Every rank's bytes, in the order of the ranks; all of the same count. Of any size, through the
  // host.
  virtual std::vector<std::byte> gather(std::span<const std::byte> bytes) = 0;

  // The groups of ranks that pass the same colour, ordered by this group's ranks.
  // `name` is what errors call the group. Collective.
  virtual std::unique_ptr<Communicator> split(int color, const std::string& name) = 0;
  // The same for a caller who knows the place that this rank will have in the new group: a group
  // whose other ranks are only planned cannot ask them for their colours.
  virtual std::unique_ptr<Communicator> split_at(int color, const std::string& name,
                                                 const GroupPlace& /*place*/) {
    return split(color, name);
  }
  // Whether the other ranks are only planned (comm/planned_group.h). Calls then return at once and
  // only tell the context's observer, so they are made on the meta device too.
  virtual bool only_planned() const { return false; }

  // From now on every call of this rank throws, also one that waits in another thread. For a rank
  // that has failed: its other threads end by it.
  virtual void cancel() = 0;

  // Throws a runtime Error when a rank of the job has failed: for long work between collectives.
  virtual void throw_if_failed() = 0;

  // The timeout of this group, and of groups that are split off it later.
  virtual void set_timeout(double seconds) = 0;
  virtual double timeout() const = 0;

  // What errors call each rank of the group and of the groups split off it; at first
  // "rank 3" in the world.
  virtual void name_ranks(std::vector<std::string> names) = 0;
  virtual std::string name_of(int rank) const = 0;  // any thread
};

// While it lives, the ranks of a group wait for each other for a day at least: for collectives that
// wait for other ranks' disks, whose speed no timeout can know. A rank that fails or dies still
// ends every wait within seconds, and one whose disk hangs when that is noticed
// (comm/disk_watch.h); only one that hangs alive in something else is noticed late. Not for
// collectives of the tensors of GPUs.
class PatientWaits {
 public:
  explicit PatientWaits(Communicator& group) : group_(group), seconds_(group.timeout()) {
    group_.set_timeout(std::max(seconds_, patience_seconds));
  }
  ~PatientWaits() { group_.set_timeout(seconds_); }
  PatientWaits(const PatientWaits&) = delete;
  PatientWaits& operator=(const PatientWaits&) = delete;

  static constexpr double patience_seconds = 86400;

 private:
  Communicator& group_;
  double seconds_;
};

// A barrier behind ranks' work on disk.
void wait_for_disks(Communicator& group);

// Bytes of the device that connect() will take, at most.
std::size_t planned_bytes(const Communicator& group, Device device,
                          const CollectiveCapacity& capacity);
// Of the device at one end of a route, that open() will take at most.
std::size_t planned_bytes(const Communicator& group, Device device, RouteEnd end,
                          const RouteCapacity& capacity);

// Every rank's text, of any length.
std::vector<std::string> gather_texts(Communicator& communicator, const std::string& text);

// Every rank's value, in the order of the ranks, for numbers on the host.
template <class T>
std::vector<T> gather_values(Communicator& communicator, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  const std::vector<std::byte> bytes =
      communicator.gather(std::as_bytes(std::span<const T, 1>(&value, 1)));
  std::vector<T> values(bytes.size() / sizeof(T));
  std::copy(bytes.begin(), bytes.end(), std::as_writable_bytes(std::span(values)).begin());
  return values;
}

}  // namespace fathom

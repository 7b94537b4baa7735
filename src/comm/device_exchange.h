// DeviceExchange: the tensors of GPUs between the ranks of a group, without host memory.
// A group whose ranks have a GPU each goes through NCCL; one whose ranks are threads of
// this process on GPUs that they share, or if so wanted on GPUs that reach each other, through
// the GPUs' memory itself. Which it is, the ranks find out together: in connect(), and in open()
// for messages.
//
// PeerCommunicator owns one and asks it first; in a build without CUDA a stub links that
// declines.
#pragma once

#include <functional>

#include "comm/communicator.h"

namespace fathom {

// The timeout of operations that wait on a GPU for other ranks.
struct ExchangeTimeout {
  double seconds = 0;
  // Called once, from a thread of the exchange, when an operation has waited longer.
  std::function<void(const char* operation)> late;
};

class DeviceExchange {
 public:
  virtual ~DeviceExchange() = default;
  // As in Communicator, on contiguous tensors of a GPU, in the order of the context's
  // stream. False: nothing was done, there is only the way through host memory; all ranks
  // of the group, or both of a pair, are told the same.
  //
  // NCCL adds in an order of its own, the same every time on the same machines, and bf16
  // in bf16. It wants messages of a pair whose tags are both even, or both odd, to be
  // received in the order in which they were sent.
  virtual bool all_reduce(Context& context, Tensor x, Reduction reduction) = 0;
  virtual bool reduce_scatter(Context& context, Tensor from, Tensor to) = 0;
  // Empty: nothing was done.
  virtual std::function<void(Context&)> begin_reduce_scatter(Context& context, Tensor from,
                                                             Tensor to) = 0;
  virtual bool all_gather(Context& context, Tensor from, Tensor to) = 0;
  virtual bool broadcast(Context& context, Tensor x, int root) = 0;
  // As in Communicator; connect() before the first collective, open() before the first message of
  // a route. `capacity` is at least that of the call before.
  virtual void connect(Device device, const CollectiveCapacity& capacity) = 0;
  virtual ExchangeWay planned_way(Device device) const = 0;
  virtual void open(Device device, std::span<const Route> routes,
                    const RouteCapacity& capacity) = 0;
  virtual bool send(Context& context, Tensor x, int to, int tag) = 0;
  virtual bool receive(Context& context, Tensor x, int from, int tag) = 0;
  // Ends operations that wait on the GPU, when other ranks will not come any more; any thread.
  virtual void cancel() = 0;
};

struct ExchangeOptions {
  bool one_process = false;  // all ranks are threads of this process
  bool peer_memory = false;  // as in CommunicatorOptions
  ExchangeTimeout timeout;
};

// Tags of host messages that an exchange uses between its ranks, beside those of send().
inline constexpr int exchange_tag = 1 << 12;

// `group` outlives it and carries its host messages. Does not communicate.
std::unique_ptr<DeviceExchange> make_device_exchange(Communicator& group, ExchangeOptions options);

}  // namespace fathom

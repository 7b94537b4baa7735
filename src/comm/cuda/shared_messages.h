// Messages between ranks that are threads of one process, on one GPU or on GPUs that reach each
// other's memory. A host message carries the handle; the streams order the copies.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "comm/communicator.h"
#include "core/stream.h"

namespace fathom::comm_cuda {

// A message on its way: the sender's copy, which the receiver reads, on its own GPU.
struct SharedMessage {
  SharedMessage(Device device, std::size_t capacity, Device reader)
      : copy(device, capacity), ready(device), read(reader) {}
  Buffer copy;
  std::size_t bytes = 0;  // of the message
  Event ready, read;
  std::atomic<bool> taken = true;  // the sender may use it again, after `read`
};

// The messages of one route, through copies that are used again and again.
class SharedMessages {
 public:
  // Takes memory for the route's capacity on `device`; `reader` is the receiver's GPU.
  // `timeout_seconds`: that the receiver may let a sender wait that has no free copy; a runtime
  // Error names it then.
  SharedMessages(Device device, Device reader, const RouteCapacity& capacity,
                 double timeout_seconds);

  void send(Communicator& group, Context& context, Tensor x, int to, int tag);
  static void receive(Communicator& group, Context& context, Tensor x, int from, int tag);

 private:
  // Waits where the receiver has taken none of the messages yet.
  std::shared_ptr<SharedMessage> free_copy(Communicator& group, int to);

  double timeout_seconds_;
  std::vector<std::shared_ptr<SharedMessage>> copies_;
};

}  // namespace fathom::comm_cuda

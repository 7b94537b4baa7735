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
  SharedMessage(Device device, std::size_t bytes, Device reader_)
      : reader(reader_), copy(device, bytes), ready(device), read(reader_) {}
  Device reader;
  Buffer copy;
  Event ready, read;
  std::atomic<bool> taken = true;  // the sender may use it again, after `read`
};

// Sends through copies that are used again and again.
class SharedMessages {
 public:
  void send(Communicator& group, Context& context, Tensor x, Device reader, int to, int tag);
  static void receive(Communicator& group, Context& context, Tensor x, int from, int tag);

 private:
  std::vector<std::shared_ptr<SharedMessage>> copies_;
};

}  // namespace fathom::comm_cuda

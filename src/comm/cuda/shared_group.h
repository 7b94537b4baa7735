// Collectives of ranks that are threads of one process and share a GPU, or GPUs that reach
// each other's memory: each rank reads the others' tensors where they are. Ranks meet by
// host messages that carry addresses and events, so that the streams order the work and
// nobody waits for the device.
#pragma once

#include <atomic>

#include "comm/device_exchange.h"
#include "core/stream.h"

namespace fathom::comm_cuda {

class SharedGroup {
 public:
  // Collective.
  SharedGroup(Communicator& group, Device device);

  void all_reduce(Context& context, Tensor x, Reduction reduction);
  void reduce_scatter(Context& context, Tensor from, Tensor to);
  void all_gather(Context& context, Tensor from, Tensor to);
  void broadcast(Context& context, Tensor x, int root);

 private:
  // Every rank's address, whose memory is as its stream had it when it came here: what
  // this rank queues from now on comes after that.
  std::vector<std::byte*> meet(Context& context, void* address);
  // The reduction of everyone's [offset, offset + to.elements()).
  void reduce(Context& context, const std::vector<std::byte*>& arrays, std::size_t offset,
              Tensor to, Reduction reduction);

  Communicator& group_;
  // Every rank's, used in turn: a rank records one again only after all have met since.
  // All ranks own them, so that one that ends first takes nothing away.
  using Events = std::vector<Event>;
  std::vector<std::shared_ptr<Events>> events_;
  std::size_t next_event_ = 0;
  Buffer scratch_;
};

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

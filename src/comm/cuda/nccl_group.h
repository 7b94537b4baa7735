// Collectives and messages of ranks that have a GPU each, through NCCL.
#pragma once

#include <map>
#include <mutex>

#include "comm/cuda/nccl.h"
#include "comm/device_exchange.h"
#include "core/stream.h"

namespace fathom::comm_cuda {

// An NCCL communicator. Its ranks make it together, each with its GPU.
class NcclComm {
 public:
  NcclComm(Device device, const ncclUniqueId& id, int rank, int ranks);
  ~NcclComm();
  NcclComm(const NcclComm&) = delete;
  NcclComm& operator=(const NcclComm&) = delete;
  ncclComm_t get() const { return comm_; }
  // Ends kernels that wait for ranks that have failed; any thread.
  void abort();

 private:
  Device device_;
  ncclComm_t comm_ = nullptr;
  std::mutex mutex_;
};

class NcclGroup {
 public:
  // Collective.
  NcclGroup(Communicator& group, Device device);

  void all_reduce(Context& context, Tensor x, Reduction reduction);
  void reduce_scatter(Context& context, Tensor from, Tensor to);
  void all_gather(Context& context, Tensor from, Tensor to);
  void broadcast(Context& context, Tensor x, int root);
  void cancel() { comm_.abort(); }

 private:
  int rank_;
  NcclComm comm_;
  Buffer scratch_;
};

// Messages from one rank to another, in their order, on a stream of their own: sending
// does not hold up the computing until the receiver comes.
class NcclChannel {
 public:
  enum class End { sender, receiver };
  // Both ends make it at the same time.
  NcclChannel(Communicator& group, Device device, int peer, End end, int tag);

  void send(Context& context, Tensor x);
  void receive(Context& context, Tensor x);
  void cancel() { comm_.abort(); }

 private:
  struct Copy {
    Buffer memory;
    Event sent;
  };
  Copy& take_copy(Device device, std::size_t bytes);

  NcclComm comm_;
  OwnedStream stream_;
  Event order_;
  std::vector<Copy> copies_;
};

}  // namespace fathom::comm_cuda

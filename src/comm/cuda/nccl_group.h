// Collectives and messages of ranks that have a GPU each, through NCCL.
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "comm/cuda/nccl.h"
#include "comm/cuda/nccl_watch.h"
#include "comm/device_exchange.h"
#include "core/stream.h"

namespace fathom::comm_cuda {

class NcclComm;

// Ends what waits for ranks that have failed, from any thread, in all NCCL communicators of a
// rank's group.
class NcclAborts {
 public:
  void add(NcclComm& comm);
  void remove(NcclComm& comm);
  void abort_all();  // also those that are made later

 private:
  std::mutex mutex_;
  std::vector<NcclComm*> comms_;
  bool aborted_ = false;
};

// An NCCL communicator. Its ranks make it together, each with its GPU.
class NcclComm {
 public:
  // `aborts` outlives it. `most_blocks`: thread blocks that it may take from the computing;
  // 0: as many as NCCL likes.
  NcclComm(Device device, const ncclUniqueId& id, int rank, int ranks, NcclAborts& aborts,
           int most_blocks = 0);
  ~NcclComm();
  NcclComm(const NcclComm&) = delete;
  NcclComm& operator=(const NcclComm&) = delete;
  ncclComm_t get() const;  // throws a runtime Error once it was aborted
  void abort();            // NcclAborts', which keeps it apart from the end

 private:
  Device device_;
  NcclAborts& aborts_;
  std::atomic<ncclComm_t> comm_ = nullptr;
};

class NcclGroup {
 public:
  // Collective.
  NcclGroup(Communicator& group, Device device, NcclAborts& aborts);

  void all_reduce(Context& context, Tensor x, Reduction reduction);
  void reduce_scatter(Context& context, Tensor from, Tensor to);
  void all_gather(Context& context, Tensor from, Tensor to);
  void broadcast(Context& context, Tensor x, int root);

 private:
  int rank_;
  NcclComm comm_;
  Buffer scratch_;
};

// Messages of one route, in their order, on a stream and a communicator of their own: NCCL
// runs what one communicator has to do in order, and a send that waits for its receiver must
// hold up neither the computing nor the messages of other routes.
class NcclChannel {
 public:
  // Both ends make it at the same time, and connect.
  NcclChannel(Communicator& group, Device device, const Route& route, NcclAborts& aborts,
              NcclWatch& watch);

  void send(Context& context, Tensor x);
  void receive(Context& context, Tensor x);

 private:
  struct Copy {
    Buffer memory;
    Event sent;
  };
  Copy& take_copy(Device device, std::size_t bytes);

  NcclComm comm_;
  NcclWatch& watch_;
  OwnedStream stream_;
  Event order_;
  std::vector<Copy> copies_;
};

}  // namespace fathom::comm_cuda

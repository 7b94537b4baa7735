// Collectives and messages of ranks that have a GPU each, through NCCL.
#pragma once

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "comm/cuda/nccl.h"
#include "comm/cuda/nccl_watch.h"
#include "comm/device_exchange.h"
#include "core/stream.h"

namespace fathom::comm_cuda {

class NcclComm;

// All NCCL communicators of a rank's group, to abort them from any thread when a rank has failed.
class NcclAborts {
 public:
  void add(NcclComm& comm);
  void remove(NcclComm& comm);
  void abort_all();  // also communicators that are made later

 private:
  std::mutex mutex_;
  std::vector<NcclComm*> comms_;
  bool aborted_ = false;
};

// What an NCCL communicator is made with.
struct NcclOptions {
  NcclAborts& aborts;  // outlives it
  // Longest time that a host call into NCCL may take. NCCL waits there for ranks that are late.
  double timeout_seconds = 0;
  // Most thread blocks that NCCL takes from the computing; 0: NCCL chooses.
  int max_blocks = 0;
};

// An NCCL communicator. Its ranks make it together, each with its GPU.
//
// It does not block: NCCL works on a thread of its own, and the caller polls until it is done. So a
// rank that never comes is noticed, and abort() never frees memory that another thread still uses
// inside NCCL while it waits for that rank.
class NcclComm {
 public:
  NcclComm(Device device, const ncclUniqueId& id, int rank, int ranks, const NcclOptions& options);
  ~NcclComm();
  NcclComm(const NcclComm&) = delete;
  NcclComm& operator=(const NcclComm&) = delete;

  // Queues operation(communicator) on its stream. Throws a runtime Error that names `what` when
  // that fails, also when the communicator was aborted before or meanwhile.
  template <class Operation>
  void run(const char* what, Operation&& operation) {
    std::unique_lock lock(mutex_);
    require_alive();
    finish(lock, what, operation(comm_));
  }
  // For NcclAborts alone, which never calls it during destruction. Returns before NCCL has freed
  // its memory: NCCL first waits for earlier work of the GPU, maybe in a communicator that is
  // aborted next.
  void abort();

 private:
  NcclComm(Device device, const NcclOptions& options);
  void require_alive() const;
  // Waits until NCCL has done what it has begun with `status`.
  void finish(std::unique_lock<std::mutex>& lock, const char* what, ncclResult_t status);

  Device device_;
  NcclAborts& aborts_;
  double timeout_seconds_;
  std::mutex mutex_;  // of the following, and of NCCL's calls
  ncclComm_t comm_ = nullptr;
  bool aborted_ = false;
  std::thread aborting_;
};

class NcclGroup {
 public:
  // Collective.
  NcclGroup(Communicator& group, Device device, const NcclOptions& options);

  void all_reduce(Context& context, Tensor x, Reduction reduction);
  void reduce_scatter(Context& context, Tensor from, Tensor to);
  void all_gather(Context& context, Tensor from, Tensor to);
  void broadcast(Context& context, Tensor x, int root);

 private:
  int rank_;
  NcclComm comm_;
};

// Messages of one route, in their order, on a stream and a communicator of their own: NCCL
// runs what one communicator has to do in order, and a send that waits for its receiver must
// hold up neither the computing nor the messages of other routes.
class NcclChannel {
 public:
  // Both ends make it at the same time, and connect.
  NcclChannel(Communicator& group, Device device, const Route& route, const RouteCapacity& capacity,
              const NcclOptions& options, NcclWatch& watch);

  void send(Context& context, Tensor x);
  void receive(Context& context, Tensor x);

 private:
  struct Copy {
    Buffer memory;
    Event sent;
  };
  static std::vector<Copy> make_copies(Device device, const RouteCapacity& capacity);

  NcclWatch& watch_;
  OwnedStream stream_;
  Event order_;
  std::vector<Copy> copies_;  // the sender's, used in turn
  std::size_t next_ = 0;
  NcclComm comm_;  // after the memory, which nobody may take while a GPU waits for another
};

}  // namespace fathom::comm_cuda

#include "comm/cuda/nccl.h"

#include <cstdlib>

#include "core/cuda/library.h"
#include "core/error.h"
#include "core/log.h"

namespace fathom::comm_cuda {
namespace {

// Before there are threads; what the environment says already stays.
//
// NCCL would connect its ranks at their first collectives, and take memory for that: where
// ranks are threads of one process, their GPUs reach each other's memory, and one that takes
// some may wait for the others, which wait for it in a collective.
[[maybe_unused]] const int connects_at_once = setenv("NCCL_RUNTIME_CONNECT", "0", 0);
// A stream of a rank waits for other ranks while others compute: each in a hardware queue of
// its own, or one would hold up what is behind it.
[[maybe_unused]] const int own_queues = setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 0);

Nccl open_library() {
  const cuda::Library library("libnccl.so.2");
  Nccl n{};
  library.find("ncclGetErrorString", n.error_string);
  library.find("ncclGetLastError", n.last_error);
  library.find("ncclGetUniqueId", n.unique_id);
  library.find("ncclCommInitRankConfig", n.init_rank);
  library.find("ncclCommGetAsyncError", n.async_error);
  library.find("ncclCommDestroy", n.destroy);
  library.find("ncclCommAbort", n.abort);
  library.find("ncclAllReduce", n.all_reduce);
  library.find("ncclReduceScatter", n.reduce_scatter);
  library.find("ncclAllGather", n.all_gather);
  library.find("ncclBroadcast", n.broadcast);
  library.find("ncclSend", n.send);
  library.find("ncclRecv", n.recv);
  return n;
}

}  // namespace

const Nccl& nccl() {
  static const Nccl n = open_library();
  return n;
}

bool has_nccl() {
  static const bool has = [] {
    try {
      nccl();
      return true;
    } catch (const Error& error) {
      log::warning("tensors between GPUs go through host memory, which is slow: {}", error.what());
      return false;
    }
  }();
  return has;
}

void check_nccl(ncclResult_t status, const char* what) {
  if (status != ncclSuccess) [[unlikely]]
    fail_runtime("NCCL: {}: {}: {}", what, nccl().error_string(status), nccl().last_error(nullptr));
}

}  // namespace fathom::comm_cuda

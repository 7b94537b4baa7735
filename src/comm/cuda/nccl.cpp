#include "comm/cuda/nccl.h"

#include "core/cuda/library.h"
#include "core/error.h"
#include "core/log.h"

namespace fathom::comm_cuda {
namespace {

Nccl open_library() {
  const cuda::Library library("libnccl.so.2");
  Nccl n{};
  library.find("ncclGetErrorString", n.error_string);
  library.find("ncclGetUniqueId", n.unique_id);
  library.find("ncclCommInitRankConfig", n.init_rank);
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
    fail_runtime("NCCL: {}: {}", what, nccl().error_string(status));
}

}  // namespace fathom::comm_cuda

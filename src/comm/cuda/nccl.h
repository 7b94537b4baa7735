// NCCL's functions, opened when first used.
#pragma once

#include <nccl.h>

namespace fathom::comm_cuda {

struct Nccl {
  decltype(&ncclGetErrorString) error_string;
  decltype(&ncclGetLastError) last_error;
  decltype(&ncclGetUniqueId) unique_id;
  decltype(&ncclCommInitRankConfig) init_rank;
  decltype(&ncclCommGetAsyncError) async_error;
  decltype(&ncclCommDestroy) destroy;
  decltype(&ncclCommAbort) abort;
  decltype(&ncclAllReduce) all_reduce;
  decltype(&ncclReduceScatter) reduce_scatter;
  decltype(&ncclAllGather) all_gather;
  decltype(&ncclBroadcast) broadcast;
  decltype(&ncclSend) send;
  decltype(&ncclRecv) recv;
};

// Throws a runtime Error that names the file when there is no NCCL.
const Nccl& nccl();
bool has_nccl();

// Throws a runtime Error with NCCL's own words.
void check_nccl(ncclResult_t status, const char* what);

}  // namespace fathom::comm_cuda

#include "comm/cuda/nccl_group.h"

#include <exception>

#include "core/cuda/check.h"
#include "core/error.h"

namespace fathom::comm_cuda {
namespace {

ncclDataType_t type_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return ncclFloat32;
    case DType::bf16:
      return ncclBfloat16;
    case DType::i32:
      return ncclInt32;
    default:
      return ncclUint8;
  }
}

// In NCCL's elements: bytes, for types that it does not know.
std::size_t count_of(Tensor x) {
  return type_of(x.dtype) == ncclUint8 ? x.bytes() : static_cast<std::size_t>(x.elements());
}

cudaStream_t stream_of(const Context& context) {
  return static_cast<cudaStream_t>(context.stream);
}

// The first rank's number, told to all.
ncclUniqueId agree_on_id(Communicator& group) {
  ncclUniqueId id{};
  if (group.rank() == 0) check_nccl(nccl().unique_id(&id), "making a group's number");
  return gather_values(group, id).front();
}

// The sender's number, told to the receiver.
ncclUniqueId agree_on_id(Communicator& group, const Route& route) {
  ncclUniqueId id{};
  Context host(cpu_device, 0);
  const Tensor message(&id, DType::u8, {sizeof id});
  if (route.from == group.rank()) {
    check_nccl(nccl().unique_id(&id), "making a channel's number");
    group.send(host, message, route.to, exchange_tag);
  } else {
    group.receive(host, message, route.from, exchange_tag);
  }
  return id;
}

// A send spins on the multiprocessors until its receiver comes. Stages make messages much more
// slowly than even two blocks move them.
constexpr int channel_blocks = 2;

}  // namespace

void NcclAborts::add(NcclComm& comm) {
  const std::lock_guard lock(mutex_);
  comms_.push_back(&comm);
  if (aborted_) comm.abort();
}

void NcclAborts::remove(NcclComm& comm) {
  const std::lock_guard lock(mutex_);
  std::erase(comms_, &comm);
}

void NcclAborts::abort_all() {
  const std::lock_guard lock(mutex_);
  aborted_ = true;
  for (NcclComm* const comm : comms_) comm->abort();
}

NcclComm::NcclComm(Device device, const ncclUniqueId& id, int rank, int ranks, NcclAborts& aborts,
                   int most_blocks)
    : device_(device), aborts_(aborts) {
  cuda::check(cudaSetDevice(device.index), "choosing the device");
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  if (most_blocks > 0) config.maxCTAs = most_blocks;
  ncclComm_t comm = nullptr;
  check_nccl(nccl().init_rank(&comm, ranks, id, rank, &config), "connecting the ranks");
  comm_ = comm;
  aborts_.add(*this);
}

// A rank that has failed does not wait for what it owes the others.
NcclComm::~NcclComm() {
  aborts_.remove(*this);
  ncclComm_t const comm = comm_.exchange(nullptr);
  if (!comm) return;
  cudaSetDevice(device_.index);
  if (std::uncaught_exceptions() > 0) {
    nccl().abort(comm);
  } else {
    nccl().destroy(comm);
  }
}

ncclComm_t NcclComm::get() const {
  ncclComm_t const comm = comm_.load();
  if (!comm) fail_runtime("another rank has failed, or this one");
  return comm;
}

void NcclComm::abort() {
  if (ncclComm_t const comm = comm_.exchange(nullptr)) nccl().abort(comm);
}

NcclGroup::NcclGroup(Communicator& group, Device device, NcclAborts& aborts)
    : rank_(group.rank()), comm_(device, agree_on_id(group), group.rank(), group.size(), aborts) {}

void NcclGroup::all_reduce(Context& context, Tensor x, Reduction reduction) {
  const ncclRedOp_t operation = reduction == Reduction::max ? ncclMax : ncclSum;
  check_nccl(nccl().all_reduce(x.data, x.data, count_of(x), type_of(x.dtype), operation,
                               comm_.get(), stream_of(context)),
             "all-reduce");
}

// NCCL's reduce-scatter may write to this rank's own part of `from`, and nowhere else in it.
void NcclGroup::reduce_scatter(Context& context, Tensor from, Tensor to) {
  auto* const begin = static_cast<std::byte*>(from.data);
  auto* const target = static_cast<std::byte*>(to.data);
  const bool inside = target + to.bytes() > begin && target < begin + from.bytes();
  void* result = to.data;
  if (inside && target != begin + static_cast<std::size_t>(rank_) * to.bytes()) {
    if (scratch_.bytes() < to.bytes()) scratch_ = Buffer(to.device, to.bytes());
    result = scratch_.data();
  }
  check_nccl(nccl().reduce_scatter(from.data, result, count_of(to), type_of(to.dtype), ncclSum,
                                   comm_.get(), stream_of(context)),
             "reduce-scatter");
  if (result != to.data) {
    copy_bytes(to.data, to.device, result, to.device, to.bytes(), context.stream);
  }
}

void NcclGroup::all_gather(Context& context, Tensor from, Tensor to) {
  check_nccl(nccl().all_gather(from.data, to.data, count_of(from), type_of(from.dtype), comm_.get(),
                               stream_of(context)),
             "all-gather");
}

void NcclGroup::broadcast(Context& context, Tensor x, int root) {
  check_nccl(nccl().broadcast(x.data, x.data, count_of(x), type_of(x.dtype), root, comm_.get(),
                              stream_of(context)),
             "broadcast");
}

// NCCL connects two ranks at their first message, and the first to come waits for the other:
// here, where both are.
NcclChannel::NcclChannel(Communicator& group, Device device, const Route& route, NcclAborts& aborts,
                         NcclWatch& watch)
    : comm_(device, agree_on_id(group, route), route.from == group.rank() ? 0 : 1, 2, aborts,
            channel_blocks),
      watch_(watch),
      stream_(device),
      order_(device) {
  const Buffer memory(device, 1);
  auto* const stream = static_cast<cudaStream_t>(stream_.get());
  check_nccl(route.from == group.rank()
                 ? nccl().send(memory.data(), 1, ncclUint8, 1, comm_.get(), stream)
                 : nccl().recv(memory.data(), 1, ncclUint8, 0, comm_.get(), stream),
             "connecting two ranks");
  watch_.queued("connecting", stream_.get());
  synchronize(device, stream_.get());
}

NcclChannel::Copy& NcclChannel::take_copy(Device device, std::size_t bytes) {
  for (Copy& copy : copies_) {
    if (copy.memory.bytes() == bytes && copy.sent.reached()) return copy;
  }
  copies_.push_back({Buffer(device, bytes), Event(device)});
  return copies_.back();
}

void NcclChannel::send(Context& context, Tensor x) {
  Copy& copy = take_copy(x.device, x.bytes());
  copy_bytes(copy.memory.data(), x.device, x.data, x.device, x.bytes(), context.stream);
  order_.record(context.stream);
  order_.block(stream_.get());
  check_nccl(nccl().send(copy.memory.data(), count_of(x), type_of(x.dtype), 1, comm_.get(),
                         static_cast<cudaStream_t>(stream_.get())),
             "send");
  copy.sent.record(stream_.get());
  watch_.queued("send", stream_.get());
}

void NcclChannel::receive(Context& context, Tensor x) {
  order_.record(context.stream);  // until then x is read
  order_.block(stream_.get());
  check_nccl(nccl().recv(x.data, count_of(x), type_of(x.dtype), 0, comm_.get(),
                         static_cast<cudaStream_t>(stream_.get())),
             "receive");
  order_.record(stream_.get());
  order_.block(context.stream);
  watch_.queued("receive", stream_.get());
}

}  // namespace fathom::comm_cuda

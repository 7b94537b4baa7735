#include "comm/cuda/nccl_group.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

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
    case DType::u32:
    case DType::u16:
    case DType::u8:
      break;
  }
  return ncclUint8;
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

NcclOptions for_channel(NcclOptions options) {
  options.max_blocks = channel_blocks;
  return options;
}

[[noreturn]] void fail_aborted() {
  fail_runtime("another rank has failed, or this one");
}

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

NcclComm::NcclComm(Device device, const NcclOptions& options)
    : device_(device), aborts_(options.aborts), timeout_seconds_(options.timeout_seconds) {
  aborts_.add(*this);
}

NcclComm::NcclComm(Device device, const ncclUniqueId& id, int rank, int ranks,
                   const NcclOptions& options)
    : NcclComm(device, options) {
  cuda::check(cudaSetDevice(device.index), "choosing the device");
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  if (options.max_blocks > 0) config.maxCTAs = options.max_blocks;
  std::unique_lock lock(mutex_);
  if (aborted_) fail_aborted();
  finish(lock, "connecting the ranks", nccl().init_rank(&comm_, ranks, id, rank, &config));
}

// A rank that has failed does not wait for what it owes the others.
NcclComm::~NcclComm() {
  aborts_.remove(*this);
  if (std::uncaught_exceptions() > 0) abort();
  if (aborting_.joinable()) aborting_.join();
  if (!comm_) return;
  cudaSetDevice(device_.index);
  nccl().destroy(comm_);
}

void NcclComm::require_alive() const {
  if (!comm_) fail_aborted();
}

void NcclComm::finish(std::unique_lock<std::mutex>& lock, const char* what, ncclResult_t status) {
  const auto start = std::chrono::steady_clock::now();
  const std::chrono::duration<double> timeout(timeout_seconds_);
  for (int looks = 0; status == ncclInProgress; ++looks) {
    lock.unlock();
    if (looks < 1000) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    lock.lock();
    require_alive();
    check_nccl(nccl().async_error(comm_, &status), what);
    if (status == ncclInProgress && std::chrono::steady_clock::now() - start >= timeout) {
      fail_runtime("NCCL: {} took more than {} s: another rank hangs, or does not answer", what,
                   timeout_seconds_);
    }
  }
  check_nccl(status, what);
}

void NcclComm::abort() {
  const std::lock_guard lock(mutex_);
  aborted_ = true;
  if (!comm_) return;
  aborting_ = std::thread([device = device_, comm = std::exchange(comm_, nullptr)] {
    cudaSetDevice(device.index);
    nccl().abort(comm);
  });
}

NcclGroup::NcclGroup(Communicator& group, Device device, const NcclOptions& options)
    : rank_(group.rank()), comm_(device, agree_on_id(group), group.rank(), group.size(), options) {}

void NcclGroup::all_reduce(Context& context, Tensor x, Reduction reduction) {
  const ncclRedOp_t operation = reduction == Reduction::max ? ncclMax : ncclSum;
  comm_.run("all-reduce", [&](ncclComm_t comm) {
    return nccl().all_reduce(x.data, x.data, count_of(x), type_of(x.dtype), operation, comm,
                             stream_of(context));
  });
}

// NCCL's reduce-scatter may write to this rank's own part of `from`, and nowhere else in it.
void NcclGroup::reduce_scatter(Context& context, Tensor from, Tensor to) {
  auto* const begin = static_cast<std::byte*>(from.data);
  auto* const target = static_cast<std::byte*>(to.data);
  const bool inside = target + to.bytes() > begin && target < begin + from.bytes();
  void* const result =
      inside ? begin + static_cast<std::size_t>(rank_) * to.bytes() : static_cast<void*>(target);
  comm_.run("reduce-scatter", [&](ncclComm_t comm) {
    return nccl().reduce_scatter(from.data, result, count_of(to), type_of(to.dtype), ncclSum, comm,
                                 stream_of(context));
  });
  if (result != to.data) {
    copy_bytes(to.data, to.device, result, to.device, to.bytes(), context.stream);
  }
}

void NcclGroup::all_gather(Context& context, Tensor from, Tensor to) {
  comm_.run("all-gather", [&](ncclComm_t comm) {
    return nccl().all_gather(from.data, to.data, count_of(from), type_of(from.dtype), comm,
                             stream_of(context));
  });
}

void NcclGroup::broadcast(Context& context, Tensor x, int root) {
  comm_.run("broadcast", [&](ncclComm_t comm) {
    return nccl().broadcast(x.data, x.data, count_of(x), type_of(x.dtype), root, comm,
                            stream_of(context));
  });
}

// NCCL connects two ranks at their first message, and the first to come waits for the other:
// here, where both are.
NcclChannel::NcclChannel(Communicator& group, Device device, const Route& route,
                         const RouteCapacity& capacity, const NcclOptions& options,
                         NcclWatch& watch)
    : watch_(watch),
      stream_(device),
      order_(device),
      copies_(make_copies(device, route.from == group.rank() ? capacity : RouteCapacity{})),
      comm_(device, agree_on_id(group, route), route.from == group.rank() ? 0 : 1, 2,
            for_channel(options)) {
  auto* const stream = static_cast<cudaStream_t>(stream_.get());
  void* const byte = copies_.front().memory.data();
  comm_.run("connecting two ranks", [&](ncclComm_t comm) {
    return route.from == group.rank() ? nccl().send(byte, 1, ncclUint8, 1, comm, stream)
                                      : nccl().recv(byte, 1, ncclUint8, 0, comm, stream);
  });
  watch_.queued("connecting", stream_.get());
  synchronize(device, stream_.get());
}

std::vector<NcclChannel::Copy> NcclChannel::make_copies(Device device,
                                                        const RouteCapacity& capacity) {
  std::vector<Copy> copies;
  for (int i = 0; i < std::max(1, capacity.messages); ++i) {
    copies.push_back({Buffer(device, std::max<std::size_t>(1, capacity.bytes)), Event(device)});
  }
  return copies;
}

void NcclChannel::send(Context& context, Tensor x) {
  Copy& copy = copies_[next_];
  next_ = (next_ + 1) % copies_.size();
  require(x.bytes() <= copy.memory.bytes(), "a message of {} bytes on a route for {}", x.bytes(),
          copy.memory.bytes());
  copy.sent.block(context.stream);
  copy_bytes(copy.memory.data(), x.device, x.data, x.device, x.bytes(), context.stream);
  order_.record(context.stream);
  order_.block(stream_.get());
  comm_.run("send", [&](ncclComm_t comm) {
    return nccl().send(copy.memory.data(), count_of(x), type_of(x.dtype), 1, comm,
                       static_cast<cudaStream_t>(stream_.get()));
  });
  copy.sent.record(stream_.get());
  watch_.queued("send", stream_.get());
}

void NcclChannel::receive(Context& context, Tensor x) {
  order_.record(context.stream);  // until then x is read
  order_.block(stream_.get());
  comm_.run("receive", [&](ncclComm_t comm) {
    return nccl().recv(x.data, count_of(x), type_of(x.dtype), 0, comm,
                       static_cast<cudaStream_t>(stream_.get()));
  });
  order_.record(stream_.get());
  order_.block(context.stream);
  watch_.queued("receive", stream_.get());
}

}  // namespace fathom::comm_cuda

#include "comm/cuda/shared_group.h"

#include "comm/cuda/reduce.h"
#include "core/error.h"
#include "core/parallel.h"

namespace fathom::comm_cuda {
namespace {

void copy(Context& context, void* to, const void* from, std::size_t bytes) {
  if (to != from) copy_bytes(to, context.device, from, context.device, bytes, context.stream);
}

// A pointer as a host message.
template <class T>
Tensor as_message(T*& pointer) {
  return Tensor(&pointer, DType::u8, {sizeof pointer});
}

}  // namespace

SharedGroup::SharedGroup(Communicator& group, Device device) : group_(group) {
  require(group.size() <= max_parts, "{} ranks share a GPU, and {} may", group.size(), max_parts);
  constexpr int turns = 4;
  auto mine = std::make_shared<Events>();
  for (int i = 0; i < turns; ++i) mine->emplace_back(device);
  for (const std::shared_ptr<Events>* events : gather_values(group, &std::as_const(mine))) {
    events_.push_back(*events);
  }
  group.barrier();
}

std::vector<std::byte*> SharedGroup::meet(Context& context, void* address) {
  const std::size_t turn = next_event_++ % events_.front()->size();
  const auto event_of = [&](std::size_t rank) -> Event& { return (*events_[rank])[turn]; };
  const auto mine = static_cast<std::size_t>(group_.rank());
  event_of(mine).record(context.stream);
  std::vector<std::byte*> addresses;
  for (void* other : gather_values(group_, address)) {
    if (addresses.size() != mine) event_of(addresses.size()).block(context.stream);
    addresses.push_back(static_cast<std::byte*>(other));
  }
  return addresses;
}

void SharedGroup::reduce(Context& context, const std::vector<std::byte*>& arrays,
                         std::size_t offset, Tensor to, Reduction reduction) {
  std::vector<const void*> parts;
  for (const std::byte* array : arrays) parts.push_back(array + offset);
  reduce_parts(context.stream, parts.data(), static_cast<int>(parts.size()), to, reduction);
}

// Each rank reduces one part, which is nobody else's to read, in place, and then takes the
// other parts from who has reduced them.
void SharedGroup::all_reduce(Context& context, Tensor x, Reduction reduction) {
  const auto part_of = [&](int rank) {
    const Range range = split_range(x.elements(), rank, group_.size());
    return x.slice(range.begin, range.end - range.begin);
  };
  const auto offset_of = [&](Tensor part) {
    return static_cast<std::size_t>(static_cast<std::byte*>(part.data) -
                                    static_cast<std::byte*>(x.data));
  };
  const std::vector<std::byte*> arrays = meet(context, x.data);
  const Tensor mine = part_of(group_.rank());
  reduce(context, arrays, offset_of(mine), mine, reduction);
  meet(context, x.data);
  for (int rank = 0; rank < group_.size(); ++rank) {
    const Tensor part = part_of(rank);
    copy(context, part.data, arrays[static_cast<std::size_t>(rank)] + offset_of(part),
         part.bytes());
  }
  meet(context, x.data);
}

void SharedGroup::reduce_scatter(Context& context, Tensor from, Tensor to) {
  const std::size_t offset = static_cast<std::size_t>(group_.rank()) * to.bytes();
  const auto* const begin = static_cast<std::byte*>(from.data);
  const auto* const target = static_cast<std::byte*>(to.data);
  // Others read this rank's `from`, but for its own part.
  const bool read_by_others =
      target + to.bytes() > begin && target < begin + from.bytes() && target != begin + offset;
  Tensor result = to;
  if (read_by_others) {
    if (scratch_.bytes() < to.bytes()) scratch_ = Buffer(to.device, to.bytes());
    result = scratch_.tensor(to.dtype, to.shape);
  }
  reduce(context, meet(context, from.data), offset, result, Reduction::sum);
  meet(context, from.data);
  copy(context, to.data, result.data, to.bytes());
}

void SharedGroup::all_gather(Context& context, Tensor from, Tensor to) {
  const std::vector<std::byte*> parts = meet(context, from.data);
  for (std::size_t rank = 0; rank < parts.size(); ++rank) {
    copy(context, static_cast<std::byte*>(to.data) + rank * from.bytes(), parts[rank],
         from.bytes());
  }
  meet(context, from.data);
}

void SharedGroup::broadcast(Context& context, Tensor x, int root) {
  const std::vector<std::byte*> all = meet(context, x.data);
  copy(context, x.data, all[static_cast<std::size_t>(root)], x.bytes());
  meet(context, x.data);
}

void SharedMessages::send(Communicator& group, Context& context, Tensor x, Device reader, int to,
                          int tag) {
  std::shared_ptr<SharedMessage> message;
  for (const auto& old : copies_) {
    const bool fits = old->copy.bytes() == x.bytes() && old->reader == reader;
    if (fits && old->taken.load(std::memory_order_acquire)) message = old;
  }
  if (!message) {
    copies_.push_back(std::make_shared<SharedMessage>(x.device, x.bytes(), reader));
    message = copies_.back();
  }
  message->read.block(context.stream);
  copy(context, message->copy.data(), x.data, x.bytes());
  message->ready.record(context.stream);
  message->taken.store(false, std::memory_order_relaxed);
  // The receiver's share in it, so that it outlives a sender that ends first.
  auto* handle = new std::shared_ptr<SharedMessage>(std::move(message));
  Context host(cpu_device, 0);
  group.send(host, as_message(handle), to, exchange_tag + 1 + tag);
}

void SharedMessages::receive(Communicator& group, Context& context, Tensor x, int from, int tag) {
  std::shared_ptr<SharedMessage>* handle = nullptr;
  Context host(cpu_device, 0);
  group.receive(host, as_message(handle), from, exchange_tag + 1 + tag);
  const std::unique_ptr<std::shared_ptr<SharedMessage>> owned(handle);
  SharedMessage& message = **handle;
  require(message.copy.bytes() == x.bytes(), "{} has sent {} bytes where {} are wanted",
          group.name_of(from), message.copy.bytes(), x.bytes());
  message.ready.block(context.stream);
  copy(context, x.data, message.copy.data(), x.bytes());
  message.read.record(context.stream);
  message.taken.store(true, std::memory_order_release);
}

}  // namespace fathom::comm_cuda

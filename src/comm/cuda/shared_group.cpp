#include "comm/cuda/shared_group.h"

#include <algorithm>
#include <utility>

#include "comm/cuda/reduce.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/trace.h"

namespace fathom::comm_cuda {
namespace {

struct Part {
  void* to;
  const void* from;
  std::size_t bytes;
};

// Between GPUs too, whose memory is in one address space.
void copy(Context& context, const Part& part, Stream stream) {
  if (part.to == part.from) return;
  copy_bytes(part.to, context.device, part.from, context.device, part.bytes, stream);
}

}  // namespace

SharedGroup::SharedGroup(Communicator& group, Device device, bool across, double timeout_seconds,
                         const std::atomic<bool>& ended)
    : group_(group),
      me_(static_cast<std::size_t>(group.rank())),
      ranks_(static_cast<std::size_t>(group.size())),
      meeting_(group, device, timeout_seconds, ended),
      summed_{Event(device), Event(device), Event(device), Event(device)} {
  require(group.size() <= max_parts, "{} ranks reach each other's memory, and {} may", group.size(),
          max_parts);
  if (across) lanes_.emplace(device, group.size() - 1);
}

void SharedGroup::reserve(Device device, const CollectiveCapacity& capacity) {
  const ExchangeWay way = across() ? ExchangeWay::peer_memory : ExchangeWay::one_gpu;
  memory_ = {};  // before the new memory is taken
  memory_ = ExchangeMemory(device, way, group_.size(), capacity);
}

std::size_t SharedGroup::other(std::size_t i) const {
  return (me_ + 1 + i) % ranks_;
}

// A copy of one other rank's part needs no lane.
template <class F>
void SharedGroup::take_parts(Context& context, F&& part) {
  const bool at_once = lanes_ && ranks_ > 2;
  if (at_once) lanes_->fork(context);
  for (std::size_t i = 0; i < ranks_; ++i) {
    const bool mine = other(i) == me_;
    copy(context, part(other(i)), at_once && !mine ? lanes_->at(i) : context.stream);
  }
  if (at_once) lanes_->join(context);
}

// Beside the computing, the others' parts are copied first: that takes no multiprocessors
// from it, and what is left to be read is near. Else they are read where they lie.
void SharedGroup::reduce(Context& context, const Arrays& arrays, std::size_t offset, Tensor to,
                         Reduction reduction) {
  if (lanes_ && context.lane == TraceLane::communication) {
    return reduce_fetched(context, arrays, offset, to, reduction);
  }
  std::vector<const void*> parts;
  for (const std::byte* array : arrays) parts.push_back(array + offset);
  reduce_parts(context.stream, parts.data(), static_cast<int>(parts.size()), to, reduction);
}

std::vector<const void*> SharedGroup::fetch(Context& context, const Arrays& arrays,
                                            std::size_t first, std::size_t bytes,
                                            std::byte* fetched) {
  std::vector<const void*> parts(ranks_, arrays[me_] + first);
  for (std::size_t i = 0; i + 1 < ranks_; ++i) {
    std::byte* const here = fetched + i * bytes;
    copy(context, {here, arrays[other(i)] + first, bytes}, lanes_->at(i));
    parts[other(i)] = here;
  }
  return parts;
}

// In parts, so that some are on their way while others are summed. Products may leave no
// multiprocessor to a sum for as long as they run: all four parts of a range that is not too
// large can be here by then.
void SharedGroup::reduce_fetched(Context& context, const Arrays& arrays, std::size_t offset,
                                 Tensor to, Reduction reduction) {
  const std::size_t unit = size_of(to.dtype), others = ranks_ - 1, slots = summed_.size();
  const std::size_t part = exchange::fetch_bytes(to.bytes(), group_.size());
  const std::size_t slot_bytes = part * others;
  std::byte* const fetched = memory_.fetched(slot_bytes);
  lanes_->fork(context);
  for (std::size_t done = 0, slot = 0; done < to.bytes(); done += part, slot = (slot + 1) % slots) {
    const std::size_t bytes = std::min(part, to.bytes() - done);
    lanes_->wait(summed_[slot]);  // in this call; fork() waits for the sums of those before
    std::byte* const here = fetched + slot * slot_bytes;
    const std::vector<const void*> parts = fetch(context, arrays, offset + done, bytes, here);
    lanes_->join(context);
    reduce_parts(
        context.stream, parts.data(), static_cast<int>(ranks_),
        to.slice(static_cast<std::int64_t>(done / unit), static_cast<std::int64_t>(bytes / unit)),
        reduction);
    summed_[slot].record(context.stream);
  }
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
  const Arrays arrays = meeting_.meet(context, "all-reduce", x.data);
  const Tensor mine = part_of(group_.rank());
  reduce(context, arrays, offset_of(mine), mine, reduction);
  meeting_.meet(context, "all-reduce", x.data);
  take_parts(context, [&](std::size_t rank) {
    const Tensor part = part_of(static_cast<int>(rank));
    return Part{part.data, arrays[rank] + offset_of(part), part.bytes()};
  });
  meeting_.meet(context, "all-reduce", x.data);
}

void SharedGroup::reduce_scatter(Context& context, Tensor from, Tensor to) {
  const std::size_t offset = static_cast<std::size_t>(group_.rank()) * to.bytes();
  // Others read this rank's `from`, but for its own part.
  const Tensor result = is_displaced(from, to, group_.rank()) ? memory_.displaced(to) : to;
  reduce(context, meeting_.meet(context, "reduce-scatter", from.data), offset, result,
         Reduction::sum);
  meeting_.meet(context, "reduce-scatter", from.data);
  copy(context, {to.data, result.data, to.bytes()}, context.stream);
}

std::function<void(Context&)> SharedGroup::begin_reduce_scatter(Context& context, Tensor from,
                                                                Tensor to) {
  const Arrays arrays = meeting_.meet(context, "reduce-scatter", from.data);
  const auto fetched = memory_.begin(to.bytes() * (ranks_ - 1));
  fetched->added.block(context.stream);
  std::vector<const void*> parts(ranks_);
  auto* free = static_cast<std::byte*>(fetched->memory.data());
  take_parts(context, [&](std::size_t rank) {
    std::byte* const there = arrays[rank] + me_ * to.bytes();
    std::byte* const here = rank == me_ ? there : std::exchange(free, free + to.bytes());
    parts[rank] = here;
    return Part{here, there, to.bytes()};
  });
  meeting_.meet(context, "reduce-scatter", from.data);
  return [fetched, parts, to](Context& later) {
    reduce_parts(later.stream, parts.data(), static_cast<int>(parts.size()), to, Reduction::sum);
    fetched->added.record(later.stream);
    fetched->taken.store(false, std::memory_order_release);
  };
}

void SharedGroup::all_gather(Context& context, Tensor from, Tensor to) {
  const Arrays parts = meeting_.meet(context, "all-gather", from.data);
  take_parts(context, [&](std::size_t rank) {
    return Part{static_cast<std::byte*>(to.data) + rank * from.bytes(), parts[rank], from.bytes()};
  });
  meeting_.meet(context, "all-gather", from.data);
}

void SharedGroup::broadcast(Context& context, Tensor x, int root) {
  const Arrays all = meeting_.meet(context, "broadcast", x.data);
  copy(context, {x.data, all[static_cast<std::size_t>(root)], x.bytes()}, context.stream);
  meeting_.meet(context, "broadcast", x.data);
}

}  // namespace fathom::comm_cuda

#include "comm/peer_communicator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/parallel.h"
#include "core/trace.h"

namespace fathom {
namespace {

// Collectives keep apart from send and receive, whose tags the callers choose.
constexpr int collective_tag = 0;
constexpr int first_tag = 1;

// The values of a contiguous tensor of any device.
Transport::Message to_host(Context& context, Tensor x) {
  Transport::Message bytes(x.bytes());
  copy_bytes(bytes.data(), cpu_device, x.data, x.device, bytes.size(), context.stream);
  synchronize(x.device, context.stream);
  return bytes;
}

void from_host(Context& context, const void* bytes, Tensor x) {
  copy_bytes(x.data, x.device, bytes, cpu_device, x.bytes(), context.stream);
  synchronize(x.device, context.stream);
}

// total = total (+) values, for the elements of a reduction; Sum is what a sum of
// them is kept in.
template <class T, class Sum>
void reduce_into(std::vector<Sum>& total, const Transport::Message& values, Reduction reduction) {
  const auto* from = reinterpret_cast<const T*>(values.data());
  const auto count = static_cast<std::int64_t>(total.size());
  Sum* const to = total.data();
  parallel_for(count, 1 << 15, [=](std::int64_t begin, std::int64_t end) {
    if (reduction == Reduction::sum) {
      for (std::int64_t i = begin; i < end; ++i) to[i] += static_cast<Sum>(from[i]);
    } else {
      for (std::int64_t i = begin; i < end; ++i) to[i] = std::max(to[i], static_cast<Sum>(from[i]));
    }
  });
}

// The reduction of the parts in their order, as an element type again.
template <class T, class Sum>
Transport::Message reduce_parts(const std::vector<Transport::Message>& parts, Reduction reduction) {
  const auto* first = reinterpret_cast<const T*>(parts.front().data());
  const std::size_t count = parts.front().size() / sizeof(T);
  std::vector<Sum> total(count);
  for (std::size_t i = 0; i < count; ++i) total[i] = static_cast<Sum>(first[i]);
  for (std::size_t p = 1; p < parts.size(); ++p) reduce_into<T>(total, parts[p], reduction);
  Transport::Message result(count * sizeof(T));
  auto* out = reinterpret_cast<T*>(result.data());
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<T>(total[i]);
  return result;
}

Transport::Message reduce_parts(DType dtype, const std::vector<Transport::Message>& parts,
                                Reduction reduction) {
  if (dtype == DType::i32) return reduce_parts<std::int32_t, std::int32_t>(parts, reduction);
  return dispatch_floating(dtype,
                           [&]<class T>(T) { return reduce_parts<T, float>(parts, reduction); });
}

bool is_planned(Tensor x) {
  return x.device.type == DeviceType::meta;
}

// A collective of one rank.
void copy_unless_same(Context& context, Tensor from, Tensor to) {
  if (from.data == to.data) return;
  copy_bytes(to.data, to.device, from.data, from.device, from.bytes(), context.stream);
}

bool on_gpu(Tensor x) {
  return x.device.type == DeviceType::cuda;
}

Tensor flat(Tensor x) {
  return x.view({x.elements()});
}

}  // namespace

PeerCommunicator::PeerCommunicator(std::unique_ptr<Transport> transport,
                                   CommunicatorOptions options, std::string name,
                                   std::vector<std::string> rank_names,
                                   std::vector<std::string> host_labels)
    : transport_(std::move(transport)), options_(options), name_(std::move(name)) {
  name_ranks(std::move(rank_names));
  name_hosts(std::move(host_labels));
  exchange_ = make_device_exchange(
      *this, {transport_->one_process(),
              options_.peer_memory,
              {options_.timeout_seconds, [this](const char* operation) { fail_late(operation); }}});
  transport_->on_failure([this] { exchange_->cancel(); });
}

PeerCommunicator::~PeerCommunicator() {
  transport_->on_failure({});
}

// A GPU does not tell which of the other ranks it waits for.
void PeerCommunicator::fail_late(const char* operation) {
  std::vector<std::string> others;
  for (int r = 0; r < size(); ++r) {
    if (r != rank()) others.push_back(name_of(r));
  }
  transport_->fail_job(fmt::format(
      "{}: {} in the group '{}' waited {} s on the GPU for {}: it hangs, or its machine does not "
      "answer",
      name_of(rank()), operation, name_, options_.timeout_seconds, fmt::join(others, " or ")));
}

void PeerCommunicator::name_ranks(std::vector<std::string> names) {
  require(std::ssize(names) == size(), "{} names for the {} ranks of '{}'", names.size(), size(),
          name_);
  rank_names_ = std::make_shared<const std::vector<std::string>>(std::move(names));
}

void PeerCommunicator::name_hosts(std::vector<std::string> labels) {
  require(labels.empty() || std::ssize(labels) == size(), "{} hosts for the {} ranks of '{}'",
          labels.size(), size(), name_);
  host_labels_ = std::move(labels);
}

std::string PeerCommunicator::name_of(int rank) const {
  const auto place = static_cast<std::size_t>(rank);
  const auto names = rank_names_.load();
  return host_labels_.empty() ? names->at(place)
                              : fmt::format("{} on {}", names->at(place), host_labels_.at(place));
}

void PeerCommunicator::post(Context& context, Tensor x, int to, int tag) {
  if (x.device.type == DeviceType::cpu) {
    transport_->post(to, tag, {static_cast<const std::byte*>(x.data), x.bytes()});
  } else {
    transport_->post(to, tag, to_host(context, x));
  }
}

Transport::Message PeerCommunicator::take(const char* operation, int from, int tag,
                                          std::size_t bytes) {
  const std::chrono::duration<double> timeout(options_.timeout_seconds);
  std::optional<Transport::Message> message = transport_->take(from, tag, timeout);
  if (!message) {
    fail_runtime(
        "{} in the group '{}' waited {} s for {}: it hangs, has died, or needs more than the "
        "time given (parallel.timeout_seconds)",
        operation, name_, options_.timeout_seconds, name_of(from));
  }
  require(message->size() == bytes, "{} in the group '{}': {} sent {} bytes where {} wants {}",
          operation, name_, name_of(from), message->size(), name_of(rank()), bytes);
  return std::move(*message);
}

void PeerCommunicator::take_into(Context& context, const char* operation, Tensor x, int from,
                                 int tag) {
  from_host(context, take(operation, from, tag, x.bytes()).data(), x);
}

// to = the reduction of `mine` and of the message that every other rank has posted for this one.
void PeerCommunicator::reduce_part(Context& context, const char* operation, Tensor mine, Tensor to,
                                   Reduction reduction) {
  std::vector<Transport::Message> parts;
  for (int r = 0; r < size(); ++r) {
    parts.push_back(r == rank() ? to_host(context, mine)
                                : take(operation, r, collective_tag, mine.bytes()));
  }
  from_host(context, reduce_parts(to.dtype, parts, reduction).data(), to);
}

void PeerCommunicator::all_reduce(Context& context, Tensor x, Reduction reduction) {
  require_reducible("all_reduce", x);
  if (is_planned(x) || size() == 1) return;
  require_room_to_sum("all_reduce", context, x);
  const TraceSpan span(context, TraceKind::communication, "all-reduce");
  if (on_gpu(x) && exchange_->all_reduce(context, flat(x), reduction)) return;
  const Tensor all = flat(x);
  if (all.elements() < small_tensor) {
    for (int r = 0; r < size(); ++r) {
      if (r != rank()) post(context, all, r, collective_tag);
    }
    return reduce_part(context, "all_reduce", all, all, reduction);
  }
  // Each rank reduces one part and hands it round.
  const auto part_of = [&](int r) {
    const Range range = split_range(all.elements(), r, size());
    return all.slice(range.begin, range.end - range.begin);
  };
  for (int r = 0; r < size(); ++r) {
    if (r != rank()) post(context, part_of(r), r, collective_tag);
  }
  const Tensor mine = part_of(rank());
  reduce_part(context, "all_reduce", mine, mine, reduction);
  for (int r = 0; r < size(); ++r) {
    if (r != rank()) post(context, mine, r, collective_tag);
  }
  for (int r = 0; r < size(); ++r) {
    if (r != rank()) take_into(context, "all_reduce", part_of(r), r, collective_tag);
  }
}

void PeerCommunicator::require_reducible(const char* operation, Tensor x) const {
  require(is_reducible(x.dtype), "{} in the group '{}': ranks cannot reduce {}", operation, name_,
          fathom::name_of(x.dtype));
}

void PeerCommunicator::require_parts(Tensor from, Tensor to) const {
  require_reducible("reduce_scatter", from);
  require(from.elements() == to.elements() * size() && from.dtype == to.dtype,
          "reduce_scatter of {} to {} in a group of {}", to_string(from), to_string(to), size());
}

void PeerCommunicator::require_room(const char* operation, Tensor x,
                                    std::size_t CollectiveCapacity::*largest) const {
  if (!capacity_) {
    require(!on_gpu(x), "{} of a GPU's tensor in the group '{}', which is not connected", operation,
            name_);
    return;
  }
  const std::size_t room = (*capacity_).*largest;
  require(x.bytes() <= room, "{} of {} bytes in the group '{}', which is connected for {}",
          operation, x.bytes(), name_, room);
}

void PeerCommunicator::require_room_to_sum(const char* operation, const Context& context,
                                           Tensor whole) const {
  require_room(operation, whole, &CollectiveCapacity::bytes);
  const bool beside = context.lane == TraceLane::communication;
  require(!capacity_ || !beside || capacity_->sums_beside,
          "{} beside the computing in the group '{}', which is not connected for that", operation,
          name_);
}

void PeerCommunicator::reduce_scatter(Context& context, Tensor from, Tensor to) {
  require_parts(from, to);
  if (is_planned(from)) return;
  if (size() == 1) return copy_unless_same(context, from, to);
  require_room_to_sum("reduce_scatter", context, from);
  if (is_displaced(from, to, rank())) {
    require_room("reduce_scatter to another rank's place", to,
                 &CollectiveCapacity::displaced_bytes);
  }
  scatter_sums(context, from, to);
}

void PeerCommunicator::scatter_sums(Context& context, Tensor from, Tensor to) {
  const TraceSpan span(context, TraceKind::communication, "reduce-scatter");
  if (on_gpu(from) && exchange_->reduce_scatter(context, flat(from), flat(to))) return;
  const Tensor all = flat(from);
  const auto part_of = [&](int r) { return all.slice(r * to.elements(), to.elements()); };
  for (int r = 0; r < size(); ++r) {
    if (r != rank()) post(context, part_of(r), r, collective_tag);
  }
  reduce_part(context, "reduce_scatter", part_of(rank()), flat(to), Reduction::sum);
}

std::function<void(Context&)> PeerCommunicator::begin_reduce_scatter(Context& context, Tensor from,
                                                                     Tensor to) {
  require_parts(from, to);
  if (is_planned(from)) return {};
  if (size() == 1) {
    copy_unless_same(context, from, to);
    return {};
  }
  require_room("begin_reduce_scatter", from, &CollectiveCapacity::bytes);
  require_room("begin_reduce_scatter to a part", to, &CollectiveCapacity::begun_bytes);
  if (on_gpu(from)) {
    auto rest = exchange_->begin_reduce_scatter(context, flat(from), flat(to));
    if (rest) return rest;
  }
  scatter_sums(context, from, to);
  return {};
}

void PeerCommunicator::all_gather(Context& context, Tensor from, Tensor to) {
  require(to.elements() == from.elements() * size() && from.dtype == to.dtype,
          "all_gather of {} to {} in a group of {}", to_string(from), to_string(to), size());
  if (is_planned(from)) return;
  if (size() == 1) return copy_unless_same(context, from, to);
  require_room("all_gather", to, &CollectiveCapacity::bytes);
  const TraceSpan span(context, TraceKind::communication, "all-gather");
  if (on_gpu(from) && exchange_->all_gather(context, flat(from), flat(to))) return;
  const Tensor all = flat(to), mine = flat(from);
  for (int r = 0; r < size(); ++r) {
    if (r != rank()) post(context, mine, r, collective_tag);
  }
  for (int r = 0; r < size(); ++r) {
    const Tensor part = all.slice(r * mine.elements(), mine.elements());
    if (r != rank()) {
      take_into(context, "all_gather", part, r, collective_tag);
    } else if (part.data != mine.data) {
      from_host(context, to_host(context, mine).data(), part);
    }
  }
}

void PeerCommunicator::broadcast(Context& context, Tensor x, int root) {
  if (is_planned(x) || size() == 1) return;
  require_room("broadcast", x, &CollectiveCapacity::broadcast_bytes);
  const TraceSpan span(context, TraceKind::communication, "broadcast");
  if (on_gpu(x) && exchange_->broadcast(context, flat(x), root)) return;
  const Tensor all = flat(x);
  if (rank() != root) return take_into(context, "broadcast", all, root, collective_tag);
  for (int r = 0; r < size(); ++r) {
    if (r != rank()) post(context, all, r, collective_tag);
  }
}

void PeerCommunicator::connect(Device device, const CollectiveCapacity& capacity) {
  const CollectiveCapacity wanted = capacity_ ? larger(*capacity_, capacity) : capacity;
  if (capacity_ == wanted) return;
  capacity_ = wanted;
  if (device.type == DeviceType::cuda && size() > 1) exchange_->connect(device, *capacity_);
}

ExchangeWay PeerCommunicator::planned_way(Device device) const {
  return device.type == DeviceType::cuda && size() > 1 ? exchange_->planned_way(device)
                                                       : ExchangeWay::host_memory;
}

void PeerCommunicator::open(Device device, std::span<const Route> routes,
                            const RouteCapacity& capacity) {
  for (const Route& route : routes) {
    const auto is_rank = [&](int rank) { return rank >= 0 && rank < size(); };
    require(is_rank(route.from) && is_rank(route.to) && route.from != route.to,
            "a route from {} to {} in a group of {}", route.from, route.to, size());
  }
  if (device.type == DeviceType::cuda && size() > 1) exchange_->open(device, routes, capacity);
}

void PeerCommunicator::require_other(const char* operation, int other) const {
  require(other != rank() && other >= 0 && other < size(),
          "{} rank {} by rank {} of the {} of '{}'", operation, other, rank(), size(), name_);
}

void PeerCommunicator::send(Context& context, Tensor x, int to, int tag) {
  require_other("send to", to);
  if (is_planned(x)) return;
  if (on_gpu(x) && exchange_->send(context, flat(x), to, tag)) return;
  post(context, flat(x), to, first_tag + tag);
}

void PeerCommunicator::receive(Context& context, Tensor x, int from, int tag) {
  require_other("receive from", from);
  if (is_planned(x)) return;
  if (on_gpu(x) && exchange_->receive(context, flat(x), from, tag)) return;
  take_into(context, "receive", flat(x), from, first_tag + tag);
}

void PeerCommunicator::expect(Tensor x, int from, int tag) {
  // A GPU's message may go another way than the transport.
  if (x.device.type == DeviceType::cpu) transport_->expect(from, first_tag + tag, x.bytes());
}

void PeerCommunicator::cancel() {
  transport_->cancel();
  exchange_->cancel();
}

std::vector<std::byte> PeerCommunicator::gather(std::span<const std::byte> bytes) {
  for (int r = 0; r < size(); ++r) {
    if (r != rank()) transport_->post(r, collective_tag, bytes);
  }
  std::vector<std::byte> all;
  for (int r = 0; r < size(); ++r) {
    if (r == rank()) {
      all.insert(all.end(), bytes.begin(), bytes.end());
    } else {
      const Transport::Message message = take("gather", r, collective_tag, bytes.size());
      all.insert(all.end(), message.begin(), message.end());
    }
  }
  return all;
}

void PeerCommunicator::barrier() {
  for (int r = 0; r < size(); ++r) {
    if (r != rank()) transport_->post(r, collective_tag, {});
  }
  for (int r = 0; r < size(); ++r) {
    if (r != rank()) take("barrier", r, collective_tag, 0);
  }
}

std::unique_ptr<Communicator> PeerCommunicator::split(int color, const std::string& name) {
  const std::vector<int> colors = gather_values(*this, color);
  const auto all_names = rank_names_.load();
  std::vector<std::string> names, hosts;
  for (std::size_t r = 0; r < colors.size(); ++r) {
    if (colors[r] != color) continue;
    names.push_back(all_names->at(r));
    if (!host_labels_.empty()) hosts.push_back(host_labels_[r]);
  }
  return std::make_unique<PeerCommunicator>(transport_->split(color), options_, name,
                                            std::move(names), std::move(hosts));
}

}  // namespace fathom

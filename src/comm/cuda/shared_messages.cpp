#include "comm/cuda/shared_messages.h"

#include <chrono>
#include <thread>

#include "comm/device_exchange.h"
#include "core/error.h"

namespace fathom::comm_cuda {
namespace {

// Between GPUs too, whose memory is in one address space.
void copy(Context& context, void* to, const void* from, std::size_t bytes) {
  copy_bytes(to, context.device, from, context.device, bytes, context.stream);
}

// A pointer as a host message.
template <class T>
Tensor as_message(T*& pointer) {
  return Tensor(&pointer, DType::u8, {sizeof pointer});
}

}  // namespace

SharedMessages::SharedMessages(Device device, Device reader, const RouteCapacity& capacity,
                               double timeout_seconds)
    : timeout_seconds_(timeout_seconds) {
  for (int i = 0; i < capacity.messages; ++i) {
    copies_.push_back(std::make_shared<SharedMessage>(device, capacity.bytes, reader));
  }
}

std::shared_ptr<SharedMessage> SharedMessages::free_copy(Communicator& group, int to) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::microseconds nap(50);
  const Clock::time_point begin = Clock::now();
  while (true) {
    for (const auto& copy : copies_) {
      if (copy->taken.load(std::memory_order_acquire)) return copy;
    }
    group.throw_if_failed();
    const std::chrono::duration<double> waited = Clock::now() - begin;
    if (waited.count() > timeout_seconds_) {
      fail_runtime("a message waited {} s for {} to take one of the {} before it: it hangs",
                   timeout_seconds_, group.name_of(to), copies_.size());
    }
    std::this_thread::sleep_for(nap);
  }
}

void SharedMessages::send(Communicator& group, Context& context, Tensor x, int to, int tag) {
  std::shared_ptr<SharedMessage> message = free_copy(group, to);
  require(x.bytes() <= message->copy.bytes(), "a message of {} bytes on a route for {}", x.bytes(),
          message->copy.bytes());
  message->bytes = x.bytes();
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
  require(message.bytes == x.bytes(), "{} has sent {} bytes where {} are wanted",
          group.name_of(from), message.bytes, x.bytes());
  message.ready.block(context.stream);
  copy(context, x.data, message.copy.data(), x.bytes());
  message.read.record(context.stream);
  message.taken.store(true, std::memory_order_release);
}

}  // namespace fathom::comm_cuda

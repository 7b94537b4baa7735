#include "comm/cuda/shared_messages.h"

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

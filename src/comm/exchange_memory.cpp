#include "comm/exchange_memory.h"

#include <algorithm>

#include "core/error.h"

namespace fathom {

ExchangeMemory::ExchangeMemory(Device device, ExchangeWay way, int ranks,
                               const CollectiveCapacity& capacity)
    : displaced_(device, exchange::displaced_bytes(way, capacity)),
      fetched_(device, exchange::fetched_bytes(way, ranks, capacity)) {
  for (int i = 0; i < exchange::begun_places(way, capacity); ++i) {
    begun_.push_back(std::make_shared<BegunSum>(device, exchange::begun_bytes(ranks, capacity)));
  }
}

std::size_t ExchangeMemory::bytes() const {
  std::size_t bytes = displaced_.bytes() + fetched_.bytes();
  for (const auto& sum : begun_) bytes += sum->memory.bytes();
  return bytes;
}

Tensor ExchangeMemory::displaced(Tensor to) const {
  require(to.bytes() <= displaced_.bytes(),
          "a sum of {} bytes in another rank's place, where the group has room for {}", to.bytes(),
          displaced_.bytes());
  return displaced_.tensor(to.dtype, to.shape);
}

std::byte* ExchangeMemory::fetched(std::size_t slot_bytes) const {
  require(exchange::fetch_slots * slot_bytes <= fetched_.bytes(),
          "a sum beside the computing fetches {} bytes, where the group has room for {}",
          exchange::fetch_slots * slot_bytes, fetched_.bytes());
  return static_cast<std::byte*>(fetched_.data());
}

std::shared_ptr<BegunSum> ExchangeMemory::begin(std::size_t bytes) {
  const auto is_free = [](const auto& sum) { return !sum->taken.load(std::memory_order_acquire); };
  const auto free = std::ranges::find_if(begun_, is_free);
  require(free != begun_.end(), "more than the {} sums that the group has room for have begun",
          begun_.size());
  require(bytes <= (*free)->memory.bytes(),
          "a sum that begins with {} bytes, where the group has room for {}", bytes,
          (*free)->memory.bytes());
  (*free)->taken.store(true, std::memory_order_relaxed);
  std::rotate(free, free + 1, begun_.end());
  return begun_.back();
}

}  // namespace fathom

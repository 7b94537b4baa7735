#include "comm/communicator.h"

#include <algorithm>

namespace fathom {
namespace {

// Through host memory tensors of a GPU take none of the GPU.
bool takes_memory(ExchangeWay way, Device device) {
  return way != ExchangeWay::host_memory || device.type == DeviceType::cpu;
}

}  // namespace

bool is_reducible(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::bf16:
    case DType::i32:
      return true;
    case DType::u32:
    case DType::u16:
    case DType::u8:
      return false;
  }
  return false;
}

void wait_for_disks(Communicator& group) {
  const PatientWaits patient(group);
  group.barrier();
}

std::size_t planned_bytes(const Communicator& group, Device device,
                          const CollectiveCapacity& capacity) {
  const ExchangeWay way = group.planned_way(device);
  return takes_memory(way, device) ? exchange_bytes(way, group.size(), capacity) : 0;
}

std::size_t planned_bytes(const Communicator& group, Device device, RouteEnd end,
                          const RouteCapacity& capacity) {
  const ExchangeWay way = group.planned_way(device);
  return takes_memory(way, device) ? exchange_bytes(way, end, capacity) : 0;
}

std::vector<std::string> gather_texts(Communicator& communicator, const std::string& text) {
  const std::vector<std::size_t> sizes = gather_values(communicator, text.size());
  const std::size_t longest = *std::max_element(sizes.begin(), sizes.end());
  std::string padded = text;
  padded.resize(longest);
  const std::vector<std::byte> all = communicator.gather(std::as_bytes(std::span(padded)));
  std::vector<std::string> texts;
  for (std::size_t r = 0; r < sizes.size(); ++r) {
    texts.emplace_back(reinterpret_cast<const char*>(all.data()) + r * longest, sizes[r]);
  }
  return texts;
}

}  // namespace fathom

#include "comm/communicator.h"

#include <algorithm>

namespace fathom {

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

std::vector<std::byte> gather_bytes(Communicator& communicator, std::span<const std::byte> bytes) {
  Context context(cpu_device, 0);
  const auto count = static_cast<std::int64_t>(bytes.size());
  std::vector<std::byte> mine(bytes.begin(), bytes.end());
  std::vector<std::byte> all(bytes.size() * static_cast<std::size_t>(communicator.size()));
  communicator.all_gather(context, Tensor(mine.data(), DType::u8, {count}),
                          Tensor(all.data(), DType::u8, {count * communicator.size()}));
  return all;
}

std::vector<std::string> gather_texts(Communicator& communicator, const std::string& text) {
  const std::vector<std::size_t> sizes = gather_values(communicator, text.size());
  const std::size_t longest = *std::max_element(sizes.begin(), sizes.end());
  std::string padded = text;
  padded.resize(longest);
  const std::vector<std::byte> all = gather_bytes(communicator, std::as_bytes(std::span(padded)));
  std::vector<std::string> texts;
  for (std::size_t r = 0; r < sizes.size(); ++r) {
    texts.emplace_back(reinterpret_cast<const char*>(all.data()) + r * longest, sizes[r]);
  }
  return texts;
}

}  // namespace fathom

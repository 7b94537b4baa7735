#include "infer/step_sizes.h"

#include <algorithm>
#include <bit>

namespace fathom::infer {

std::int64_t step_size(Device device, std::int64_t count) {
  if (device.type == DeviceType::cpu || count <= 0) return count;
  const auto power =
      static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(count)));
  const std::int64_t between = power / 4 * 3;
  return between >= count && between % 8 == 0 ? between : power;
}

std::int64_t context_size(std::int64_t tokens, std::int64_t most) {
  constexpr std::int64_t least = 256;
  const auto power = static_cast<std::int64_t>(
      std::bit_ceil(static_cast<std::uint64_t>(std::max(tokens, least))));
  return std::min(power, most);
}

}  // namespace fathom::infer

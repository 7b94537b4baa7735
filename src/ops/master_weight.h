// The f32 master weight behind a bf16 weight, kept as that weight and the 16 bits
// that rounding took off: 4 bytes together, where a second copy would make it 6.
#pragma once

#include <cstdint>

#include "core/philox.h"  // FATHOM_HOST_DEVICE

namespace fathom::ops {

struct MasterWeight {
  std::uint16_t weight;     // bits of the bf16: the master rounded to nearest, ties to even
  std::uint16_t remainder;  // two's complement: bits of the master − weight · 2^16
};

// Adding the remainder to the weight's bits undoes the rounding, up or down. Only half
// of the ties could not be told apart: a master exactly between two weights that
// rounds down gives way by its last bit.
FATHOM_HOST_DEVICE inline MasterWeight split_master(std::uint32_t bits) {
  const std::uint32_t weight = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  std::uint32_t remainder = bits - (weight << 16);
  if (remainder == 0x8000u) remainder = 0x7fffu;
  return {static_cast<std::uint16_t>(weight), static_cast<std::uint16_t>(remainder)};
}

FATHOM_HOST_DEVICE inline std::uint32_t join_master(MasterWeight parts) {
  const std::uint32_t sign_extended = (parts.remainder ^ 0x8000u) - 0x8000u;
  return (std::uint32_t{parts.weight} << 16) + sign_extended;
}

}  // namespace fathom::ops

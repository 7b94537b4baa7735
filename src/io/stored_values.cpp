#include "io/stored_values.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "core/error.h"

namespace fathom {
namespace {

template <class From, class Convert>
void convert_each(std::span<const std::byte> from, void* to, DType to_type, Convert&& to_float) {
  const std::size_t count = from.size() / sizeof(From);
  dispatch_floating(to_type, [&](auto zero) {
    using To = decltype(zero);
    auto* out = static_cast<To*>(to);
    for (std::size_t i = 0; i < count; ++i) {
      From value;
      std::memcpy(&value, from.data() + i * sizeof(From), sizeof(From));
      out[i] = static_cast<To>(to_float(value));
    }
  });
}

}  // namespace

bool is_convertible(StoredType type) {
  return type == StoredType::f32 || type == StoredType::bf16 || type == StoredType::f16;
}

float float_of_half(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t(half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fu;
  const std::uint32_t fraction = half & 0x3ffu;
  if (exponent == 0) {  // zero or subnormal: fraction · 2^−24
    const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
    return sign ? -magnitude : magnitude;
  }
  // Infinity and NaN keep the largest exponent; other exponents get float's bias.
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
}

std::uint16_t half_of_float(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);
  // Halfway between 65504 and the next power of two, and beyond.
  if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);
  if (magnitude < 0x38800000u) {  // subnormal: a multiple of 2^−24, rounded by the FPU
    const float units = std::ldexp(std::bit_cast<float>(magnitude), 24);
    return static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(std::nearbyint(units)));
  }
  const std::uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

void convert_stored(std::span<const std::byte> from, StoredType from_type, void* to,
                    DType to_type) {
  if (stored_type_of(to_type) == from_type) {
    if (!from.empty()) std::memcpy(to, from.data(), from.size());
    return;
  }
  switch (from_type) {
    case StoredType::f32:
      return convert_each<float>(from, to, to_type, [](float value) { return value; });
    case StoredType::bf16:
      return convert_each<bfloat16>(from, to, to_type,
                                    [](bfloat16 value) { return static_cast<float>(value); });
    case StoredType::f16:
      return convert_each<std::uint16_t>(from, to, to_type, float_of_half);
    case StoredType::boolean:
    case StoredType::u8:
    case StoredType::i8:
    case StoredType::f8_e5m2:
    case StoredType::f8_e4m3:
    case StoredType::i16:
    case StoredType::u16:
    case StoredType::i32:
    case StoredType::u32:
    case StoredType::f64:
    case StoredType::i64:
    case StoredType::u64:
      break;
  }
  fail_runtime("values of type {} cannot be converted to {}", name_of(from_type), name_of(to_type));
}

}  // namespace fathom

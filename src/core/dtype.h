// Element types of tensors, and the one place that switches over them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace fathom {

// bfloat16: the upper half of an IEEE float. Converts from float by rounding to
// nearest, ties to even; NaN stays NaN. Arithmetic happens in float.
struct bfloat16 {
  std::uint16_t bits;

  bfloat16() = default;
  explicit bfloat16(float value) {
    const auto u = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    const std::uint32_t quiet_nan = (u >> 16) | 0x40u;
    bits = static_cast<std::uint16_t>((u & 0x7fffffffu) > 0x7f800000u ? quiet_nan : rounded);
  }
  explicit operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
};
static_assert(sizeof(bfloat16) == 2 && std::is_trivial_v<bfloat16>);

// The compiler demands a new type in every switch over them: none has a default.
enum class DType : std::uint8_t { f32, bf16, i32, u32, u16, u8 };

constexpr std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::i32:
    case DType::u32:
      return 4;
    case DType::bf16:
    case DType::u16:
      return 2;
    case DType::u8:
      return 1;
  }
  return 0;
}

constexpr std::string_view name_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::bf16:
      return "bf16";
    case DType::i32:
      return "i32";
    case DType::u32:
      return "u32";
    case DType::u16:
      return "u16";
    case DType::u8:
      return "u8";
  }
  return "?";
}

// For who looks through all types.
inline constexpr int dtype_count = 6;
static_assert(name_of(DType{dtype_count - 1}) != "?" && name_of(DType{dtype_count}) == "?");

// Types of activations and weights.
constexpr bool is_floating(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::bf16:
      return true;
    case DType::i32:
    case DType::u32:
    case DType::u16:
    case DType::u8:
      return false;
  }
  return false;
}

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<bfloat16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<std::uint32_t> {
  static constexpr DType value = DType::u32;
};
template <>
struct DTypeOf<std::uint16_t> {
  static constexpr DType value = DType::u16;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = DType::u8;
};
template <class T>
inline constexpr DType dtype_of = DTypeOf<std::remove_cv_t<T>>::value;

// Throws a run-time Error with the name of `dtype`; defined in tensor.cpp.
[[noreturn]] void fail_not_floating(DType dtype);

// Calls f(float{}) or f(bfloat16{}): the switch of every operation that works on
// activations or weights. Throws for other types.
template <class F>
decltype(auto) dispatch_floating(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f(float{});
    case DType::bf16:
      return f(bfloat16{});
    case DType::i32:
    case DType::u32:
    case DType::u16:
    case DType::u8:
      break;
  }
  fail_not_floating(dtype);
}

}  // namespace fathom

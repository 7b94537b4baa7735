// Numbers of the GGUF format. Internal to src/io.
#pragma once

#include <cstdint>
#include <string_view>

namespace fathom::gguf {

inline constexpr std::string_view magic = "GGUF";
inline constexpr std::uint64_t default_alignment = 32;

enum ValueType : std::uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  text = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

}  // namespace fathom::gguf

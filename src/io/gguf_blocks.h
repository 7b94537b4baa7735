// Element types of GGUF tensors. Quantised types store a row as blocks: 32 or 256 values with
// scales of their own (ggml's ggml-common.h describes the bytes of each).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fathom {

// The numbers are those in files. Only types that we can read have a name here.
enum class GgufType : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  q8_k = 15,
  bf16 = 30,
};

struct GgufBlock {
  std::int64_t values;  // a row is a whole number of blocks
  std::size_t bytes;
};

std::optional<GgufType> gguf_type_numbered(std::uint32_t number);  // none: not readable
std::string_view name_of(GgufType type);                           // "F32", "Q8_0", ...
GgufBlock block_of(GgufType type);

// Converts whole blocks to f32. `to` has room for all their values. `blocks` need not be aligned.
void decode_gguf(GgufType type, std::span<const std::byte> blocks, float* to);

// Whether encode_gguf() writes this type: f32, f16, bf16 and q8_0.
bool is_gguf_output(GgufType type);
// Converts values, a whole number of blocks, to `type`, rounded to nearest. `to` has room for the
// blocks. Q8_0: the scale is the largest magnitude of 32 values / 127. A value beyond the range of
// f16 becomes infinite.
void encode_gguf(GgufType type, std::span<const float> values, std::byte* to);

}  // namespace fathom

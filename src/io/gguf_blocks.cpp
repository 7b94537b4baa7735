#include "io/gguf_blocks.h"

#include <array>
#include <cmath>
#include <cstring>

#include "core/dtype.h"
#include "core/error.h"
#include "io/stored_values.h"

namespace fathom {
namespace {

using Bytes = const std::uint8_t*;

float half_at(Bytes from) {
  std::uint16_t half;
  std::memcpy(&half, from, 2);
  return float_of_half(half);
}

// --- Blocks of 32 ---------------------------------------------------------------------------

// Scale d: value = d · (q − 8); low nibbles first, high nibbles after them.
void decode_q4_0(Bytes in, float* out) {
  const float d = half_at(in);
  for (int i = 0; i < 16; ++i) {
    const int q = in[2 + i];
    out[i] = d * static_cast<float>((q & 15) - 8);
    out[i + 16] = d * static_cast<float>((q >> 4) - 8);
  }
}

// Scale d and minimum m: value = d · q + m.
void decode_q4_1(Bytes in, float* out) {
  const float d = half_at(in), m = half_at(in + 2);
  for (int i = 0; i < 16; ++i) {
    const int q = in[4 + i];
    out[i] = d * static_cast<float>(q & 15) + m;
    out[i + 16] = d * static_cast<float>(q >> 4) + m;
  }
}

// As q4_0 and q4_1, with the fifth bit of value i in bit i of a word before the nibbles.
void decode_fifth_bits(Bytes in, float d, float offset, float* out) {
  std::uint32_t high;
  std::memcpy(&high, in, 4);
  for (int i = 0; i < 16; ++i) {
    const int q = in[4 + i];
    const int low = (q & 15) | static_cast<int>((high >> i) & 1) << 4;
    const int upper = (q >> 4) | static_cast<int>((high >> (i + 16)) & 1) << 4;
    out[i] = d * static_cast<float>(low) + offset;
    out[i + 16] = d * static_cast<float>(upper) + offset;
  }
}

void decode_q5_0(Bytes in, float* out) {
  const float d = half_at(in);
  decode_fifth_bits(in + 2, d, -16 * d, out);
}

void decode_q5_1(Bytes in, float* out) {
  decode_fifth_bits(in + 4, half_at(in), half_at(in + 2), out);
}

void decode_q8_0(Bytes in, float* out) {
  const float d = half_at(in);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(static_cast<std::int8_t>(in[2 + i]));
}

// --- Blocks of 256, in groups of 16 or 32 with small scales of their own ----------------------

// 16 groups of 16: a 4-bit scale and a 4-bit minimum, both scaled by halves.
void decode_q2_k(Bytes in, float* out) {
  const Bytes scales = in, packed = in + 16;
  const float d = half_at(in + 80), minimum = half_at(in + 82);
  for (int group = 0; group < 16; ++group) {
    const int shift = 2 * (group / 2 % 4);
    const Bytes from = packed + 32 * (group / 8) + 16 * (group % 2);
    const float scale = d * static_cast<float>(scales[group] & 15);
    const float m = minimum * static_cast<float>(scales[group] >> 4);
    for (int i = 0; i < 16; ++i) {
      out[16 * group + i] = scale * static_cast<float>((from[i] >> shift) & 3) - m;
    }
  }
}

// 16 groups of 16 with 6-bit scales; the third bit of each value is in a mask, where 0 means −4.
void decode_q3_k(Bytes in, float* out) {
  const Bytes mask = in, packed = in + 32, scales = in + 96;
  const float d = half_at(in + 108);
  for (int group = 0; group < 16; ++group) {
    const int low = group < 8 ? scales[group] & 15 : scales[group - 8] >> 4;
    const int high = (scales[8 + group % 4] >> (2 * (group / 4))) & 3;
    const float scale = d * static_cast<float>((low | high << 4) - 32);
    const int shift = 2 * (group / 2 % 4), bit = group / 2, place = 16 * (group % 2);
    const Bytes from = packed + 32 * (group / 8) + place;
    for (int i = 0; i < 16; ++i) {
      const int q = ((from[i] >> shift) & 3) - ((mask[place + i] >> bit) & 1 ? 0 : 4);
      out[16 * group + i] = scale * static_cast<float>(q);
    }
  }
}

struct ScaleAndMin {
  float scale, min;
};

// Of group 0 to 7 of q4_k and q5_k: 6 bits each in 12 bytes.
ScaleAndMin scale_and_min(Bytes packed, int group) {
  if (group < 4) {
    return {static_cast<float>(packed[group] & 63), static_cast<float>(packed[group + 4] & 63)};
  }
  const int scale = (packed[group + 4] & 15) | (packed[group - 4] >> 6) << 4;
  const int min = (packed[group + 4] >> 4) | (packed[group] >> 6) << 4;
  return {static_cast<float>(scale), static_cast<float>(min)};
}

// 8 groups of 32; two groups share the bytes of their nibbles.
void decode_q4_k(Bytes in, float* out) {
  const float d = half_at(in), minimum = half_at(in + 2);
  for (int group = 0; group < 8; ++group) {
    const auto [scale, min] = scale_and_min(in + 4, group);
    const Bytes from = in + 16 + 32 * (group / 2);
    for (int i = 0; i < 32; ++i) {
      const int q = (from[i] >> (4 * (group % 2))) & 15;
      out[32 * group + i] = d * scale * static_cast<float>(q) - minimum * min;
    }
  }
}

void decode_q5_k(Bytes in, float* out) {
  const float d = half_at(in), minimum = half_at(in + 2);
  const Bytes high = in + 16;
  for (int group = 0; group < 8; ++group) {
    const auto [scale, min] = scale_and_min(in + 4, group);
    const Bytes from = in + 48 + 32 * (group / 2);
    for (int i = 0; i < 32; ++i) {
      const int q = ((from[i] >> (4 * (group % 2))) & 15) | ((high[i] >> group) & 1) << 4;
      out[32 * group + i] = d * scale * static_cast<float>(q) - minimum * min;
    }
  }
}

// 16 groups of 16 with 8-bit scales; 4 low bits and 2 high bits of each value apart.
void decode_q6_k(Bytes in, float* out) {
  const Bytes low = in, high = in + 128, scales = in + 192;
  const float d = half_at(in + 208);
  for (int at = 0; at < 256; ++at) {
    const int half = at / 128, quarter = at % 128 / 32, i = at % 32;
    const int nibble = low[64 * half + 32 * (quarter % 2) + i] >> (4 * (quarter / 2));
    const int bits = high[32 * half + i] >> (2 * quarter);
    const int q = ((nibble & 15) | (bits & 3) << 4) - 32;
    out[at] =
        d * static_cast<float>(static_cast<std::int8_t>(scales[at / 16])) * static_cast<float>(q);
  }
}

// A scale in f32. The sums of groups behind the values serve products alone.
void decode_q8_k(Bytes in, float* out) {
  float d;
  std::memcpy(&d, in, 4);
  for (int i = 0; i < 256; ++i)
    out[i] = d * static_cast<float>(static_cast<std::int8_t>(in[4 + i]));
}

void decode_f32(Bytes in, float* out) {
  std::memcpy(out, in, 4);
}
void decode_f16(Bytes in, float* out) {
  *out = half_at(in);
}
void decode_bf16(Bytes in, float* out) {
  bfloat16 value;
  std::memcpy(&value, in, 2);
  *out = static_cast<float>(value);
}

// --- The table --------------------------------------------------------------------------------

struct TypeRow {
  GgufType type;
  std::string_view name;
  GgufBlock block;
  void (*decode)(Bytes, float*);
};

constexpr std::array rows = {
    TypeRow{GgufType::f32, "F32", {1, 4}, decode_f32},
    TypeRow{GgufType::f16, "F16", {1, 2}, decode_f16},
    TypeRow{GgufType::bf16, "BF16", {1, 2}, decode_bf16},
    TypeRow{GgufType::q4_0, "Q4_0", {32, 18}, decode_q4_0},
    TypeRow{GgufType::q4_1, "Q4_1", {32, 20}, decode_q4_1},
    TypeRow{GgufType::q5_0, "Q5_0", {32, 22}, decode_q5_0},
    TypeRow{GgufType::q5_1, "Q5_1", {32, 24}, decode_q5_1},
    TypeRow{GgufType::q8_0, "Q8_0", {32, 34}, decode_q8_0},
    TypeRow{GgufType::q2_k, "Q2_K", {256, 84}, decode_q2_k},
    TypeRow{GgufType::q3_k, "Q3_K", {256, 110}, decode_q3_k},
    TypeRow{GgufType::q4_k, "Q4_K", {256, 144}, decode_q4_k},
    TypeRow{GgufType::q5_k, "Q5_K", {256, 176}, decode_q5_k},
    TypeRow{GgufType::q6_k, "Q6_K", {256, 210}, decode_q6_k},
    TypeRow{GgufType::q8_k, "Q8_K", {256, 292}, decode_q8_k},
};

const TypeRow& row_of(GgufType type) {
  for (const TypeRow& row : rows) {
    if (row.type == type) return row;
  }
  fail_runtime("GGUF type {} has no name", static_cast<std::uint32_t>(type));
}

void encode_q8_0(const float* in, std::byte* out) {
  float largest = 0;
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::abs(in[i]));
  const float d = largest / 127;
  const float inverse = d > 0 ? 1 / d : 0;
  const std::uint16_t scale = half_of_float(d);
  std::memcpy(out, &scale, 2);
  for (int i = 0; i < 32; ++i) {
    const auto q = static_cast<std::int8_t>(std::round(in[i] * inverse));
    std::memcpy(out + 2 + i, &q, 1);
  }
}

}  // namespace

std::optional<GgufType> gguf_type_numbered(std::uint32_t number) {
  for (const TypeRow& row : rows) {
    if (static_cast<std::uint32_t>(row.type) == number) return row.type;
  }
  return std::nullopt;
}

std::string_view name_of(GgufType type) {
  return row_of(type).name;
}

GgufBlock block_of(GgufType type) {
  return row_of(type).block;
}

void decode_gguf(GgufType type, std::span<const std::byte> blocks, float* to) {
  const TypeRow& row = row_of(type);
  require(blocks.size() % row.block.bytes == 0, "{} bytes are no whole number of {} blocks",
          blocks.size(), row.name);
  const auto* from = reinterpret_cast<Bytes>(blocks.data());
  for (std::size_t at = 0; at < blocks.size(); at += row.block.bytes) {
    row.decode(from + at, to);
    to += row.block.values;
  }
}

bool is_gguf_output(GgufType type) {
  return type == GgufType::f32 || type == GgufType::f16 || type == GgufType::bf16 ||
         type == GgufType::q8_0;
}

void encode_gguf(GgufType type, std::span<const float> values, std::byte* to) {
  require(is_gguf_output(type), "values are not converted to {}", name_of(type));
  const GgufBlock block = block_of(type);
  require(values.size() % static_cast<std::size_t>(block.values) == 0,
          "{} values are no whole number of {} blocks", values.size(), name_of(type));
  if (type == GgufType::f32) {
    if (!values.empty()) std::memcpy(to, values.data(), values.size_bytes());
    return;
  }
  for (std::size_t i = 0; i < values.size(); i += static_cast<std::size_t>(block.values)) {
    if (type == GgufType::q8_0) {
      encode_q8_0(&values[i], to);
    } else {
      const std::uint16_t bits =
          type == GgufType::f16 ? half_of_float(values[i]) : bfloat16(values[i]).bits;
      std::memcpy(to, &bits, 2);
    }
    to += block.bytes;
  }
}

}  // namespace fathom

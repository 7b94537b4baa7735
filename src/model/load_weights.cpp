// Weights from any source into a store.
#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "core/parallel.h"
#include "io/gguf_blocks.h"
#include "model/hugging_face.h"

namespace fathom {
namespace {

// Splits the Q8_0 blocks of a row: a scale, then 32 integers.
void store_blocks(const std::byte* blocks, std::int64_t count, std::uint8_t* integers,
                  std::uint16_t* scales) {
  const auto block_bytes = block_of(GgufType::q8_0).bytes;
  for (std::int64_t b = 0; b < count; ++b, blocks += block_bytes) {
    std::memcpy(scales + b, blocks, sizeof(*scales));
    std::memcpy(integers + b * ops::int8_block, blocks + sizeof(*scales), ops::int8_block);
  }
}

// Rounds a row in f32. Values that were Q8_0 before keep their integers and scales.
void store_int8_row(const Parameter& parameter, std::int64_t row, std::span<const float> values,
                    std::vector<std::byte>& encoded) {
  const std::int64_t columns = parameter.weight.cols(), blocks = columns / ops::int8_block;
  encoded.resize(static_cast<std::size_t>(blocks) * block_of(GgufType::q8_0).bytes);
  encode_gguf(GgufType::q8_0, values, encoded.data());
  store_blocks(encoded.data(), blocks, parameter.weight.as<std::uint8_t>() + row * columns,
               parameter.scales.as<std::uint16_t>() + row * blocks);
}

// Rounds rows in f32 to rows [first, first + rows.rows()) of the parameter.
void store_int8_rows(const Parameter& parameter, std::int64_t first, Tensor rows) {
  const std::int64_t columns = rows.cols();
  parallel_for(rows.rows(), 16, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::byte> encoded;
    for (std::int64_t row = begin; row < end; ++row) {
      const std::span values(rows.as<float>() + row * columns, static_cast<std::size_t>(columns));
      store_int8_row(parameter, first + row, values, encoded);
    }
  });
}

// Whether all scales are numbers from 0, as those of our matrices are.
bool are_scales(const std::uint16_t* scales, std::int64_t count) {
  constexpr std::uint16_t infinity = 0x7c00;  // the bits of larger halves, and of negative ones
  return std::all_of(scales, scales + count, [](std::uint16_t bits) { return bits < infinity; });
}

// Takes over the blocks of a file, each row from its place.
void store_file_blocks(const Parameter& parameter, const std::vector<const std::byte*>& rows) {
  const std::int64_t columns = parameter.weight.cols(), blocks = columns / ops::int8_block;
  const std::size_t row_bytes = static_cast<std::size_t>(blocks) * block_of(GgufType::q8_0).bytes;
  parallel_for(std::ssize(rows), 16, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> values(static_cast<std::size_t>(columns));
    std::vector<std::byte> encoded;
    for (std::int64_t row = begin; row < end; ++row) {
      const std::byte* const from = rows[static_cast<std::size_t>(row)];
      auto* const scales = parameter.scales.as<std::uint16_t>() + row * blocks;
      store_blocks(from, blocks, parameter.weight.as<std::uint8_t>() + row * columns, scales);
      if (are_scales(scales, blocks)) continue;
      decode_gguf(GgufType::q8_0, {from, row_bytes}, values.data());
      store_int8_row(parameter, row, values, encoded);
    }
  });
}

void load_int8(const WeightReader& weights, const Parameter& parameter) {
  constexpr std::int64_t chunk_values = std::int64_t{4} << 20;
  const std::int64_t rows = parameter.weight.rows(), columns = parameter.weight.cols();
  const std::int64_t step = std::clamp<std::int64_t>(chunk_values / columns, 1, rows);
  std::vector<float> values(static_cast<std::size_t>(step * columns));
  for (std::int64_t first = 0; first < rows; first += step) {
    const Tensor part(values.data(), DType::f32, Shape{std::min(step, rows - first), columns});
    weights(parameter.spec, first, part);
    store_int8_rows(parameter, first, part);
  }
}

}  // namespace

void load_weights(const WeightReader& weights, ParameterStore& parameters, Context& context,
                  const BlockReader& blocks) {
  for (const Parameter& parameter : parameters.all()) {
    if (parameter.is_in_place) continue;
    const Tensor to = parameter.weight;
    if (parameter.is_int8()) {
      const auto rows = blocks ? blocks(parameter.spec) : std::vector<const std::byte*>{};
      if (rows.empty()) {
        load_int8(weights, parameter);
      } else {
        store_file_blocks(parameter, rows);
      }
      continue;
    }
    if (to.device == cpu_device) {
      weights(parameter.spec, 0, to);
      continue;
    }
    const Buffer staging(cpu_device, to.bytes());
    weights(parameter.spec, 0, staging.tensor(to.dtype, to.shape));
    copy_bytes(to.data, to.device, staging.data(), cpu_device, to.bytes(), context.stream);
    synchronize(to.device, context.stream);
  }
}

}  // namespace fathom

// Weights from any source into a store.
#include <algorithm>
#include <cstring>
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

// Rounds rows in f32 to rows [first, first + rows.rows()) of the parameter. Values that were Q8_0
// before keep their integers and scales.
void store_int8_rows(const Parameter& parameter, std::int64_t first, Tensor rows) {
  const std::int64_t columns = rows.cols(), blocks = columns / ops::int8_block;
  parallel_for(rows.rows(), 16, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::byte> encoded(static_cast<std::size_t>(blocks) *
                                   block_of(GgufType::q8_0).bytes);
    for (std::int64_t row = begin; row < end; ++row) {
      const std::span values(rows.as<float>() + row * columns, static_cast<std::size_t>(columns));
      encode_gguf(GgufType::q8_0, values, encoded.data());
      store_blocks(encoded.data(), blocks,
                   parameter.weight.as<std::uint8_t>() + (first + row) * columns,
                   parameter.scales.as<std::uint16_t>() + (first + row) * blocks);
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

void load_weights(const WeightReader& weights, ParameterStore& parameters, Context& context) {
  for (const Parameter& parameter : parameters.all()) {
    const Tensor to = parameter.weight;
    if (parameter.is_int8()) {
      load_int8(weights, parameter);
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

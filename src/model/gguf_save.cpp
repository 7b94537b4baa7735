// GGUF models, out.
#include <filesystem>

#include "core/error.h"
#include "core/parallel.h"
#include "model/gguf.h"
#include "model/gguf_tensors.h"

namespace fathom {
namespace {

// llama.cpp's number of the commonest type (`general.file_type`).
std::uint32_t file_type_of(GgufType type) {
  switch (type) {
    case GgufType::f32:
      return 0;
    case GgufType::f16:
      return 1;
    case GgufType::q8_0:
      return 7;
    default:
      return 32;  // bf16
  }
}

GgufMetadata metadata_of(const ModelConfig& c, const SaveGgufOptions& options) {
  GgufMetadata keys;
  const auto number = [&](const char* key, std::int64_t value) {
    keys.add_u32(std::string("llama.") + key, static_cast<std::uint32_t>(value));
  };
  keys.add_text("general.architecture", "llama");
  if (!options.name.empty()) keys.add_text("general.name", options.name);
  keys.add_u32("general.file_type", file_type_of(options.type));
  if (options.type == GgufType::q8_0) keys.add_u32("general.quantization_version", 2);
  number("vocab_size", c.vocab_size);
  number("context_length", c.max_position);
  number("embedding_length", c.hidden_size);
  number("block_count", c.num_layers);
  number("feed_forward_length", c.intermediate_size);
  number("attention.head_count", c.num_heads);
  number("attention.head_count_kv", c.num_kv_heads);
  number("attention.key_length", c.head_dim);
  number("attention.value_length", c.head_dim);
  number("rope.dimension_count", c.head_dim);
  keys.add_f32("llama.rope.freq_base", static_cast<float>(c.rope_theta));
  keys.add_f32("llama.attention.layer_norm_rms_epsilon", static_cast<float>(c.rms_norm_eps));
  keys.append(options.more);
  return keys;
}

// A part of a parameter as a tensor of the file.
struct Part {
  const ParameterSpec* parameter;
  const ParameterSpec::HuggingFacePart* part;
  std::int64_t first_row;
  GgufTensorSpec tensor;
};

GgufType type_for(GgufType wanted, const ParameterSpec& spec) {
  if (spec.shape.rank() == 1) return GgufType::f32;
  if (spec.shape[1] % block_of(wanted).values != 0) return GgufType::f16;
  return wanted;
}

std::vector<Part> parts_of(const std::vector<ParameterSpec>& table, GgufType type) {
  std::vector<Part> parts;
  for (const ParameterSpec& spec : table) {
    std::int64_t row = 0;
    for (const auto& part : spec.parts) {
      std::vector<std::int64_t> shape(spec.shape.dims().begin(), spec.shape.dims().end());
      shape[0] = part.rows;
      parts.push_back({&spec,
                       &part,
                       row,
                       {gguf::tensor_name(spec, part), type_for(type, spec), std::move(shape)}});
      row += part.rows;
    }
  }
  return parts;
}

// Rows are permuted within a head alone, so that a run of whole heads is a chunk of its own.
std::int64_t chunk_rows(const Part& part, std::int64_t columns) {
  constexpr std::int64_t chunk_values = std::int64_t{4} << 20;
  const std::int64_t unit = part.part->units > 0 ? part.part->rows / part.part->units : 1;
  return std::max<std::int64_t>(1, chunk_values / (columns * unit)) * unit;
}

void write_matrix(GgufWriter& writer, const Part& part, const WeightReader& weights) {
  const std::int64_t rows = part.part->rows, columns = part.parameter->shape[1];
  const GgufBlock block = block_of(part.tensor.type);
  const auto row_bytes = static_cast<std::size_t>(columns / block.values) * block.bytes;
  const std::int64_t step = chunk_rows(part, columns);
  std::vector<float> values;
  std::vector<std::byte> encoded;
  for (std::int64_t first = 0; first < rows; first += step) {
    const std::int64_t count = std::min(step, rows - first);
    values.resize(static_cast<std::size_t>(count * columns));
    encoded.resize(static_cast<std::size_t>(count) * row_bytes);
    weights(*part.parameter, part.first_row + first,
            Tensor(values.data(), DType::f32, Shape{count, columns}));
    parallel_for(count, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t from = gguf::own_row(*part.part, first + row) - first;
        encode_gguf(part.tensor.type,
                    std::span(values).subspan(static_cast<std::size_t>(from * columns),
                                              static_cast<std::size_t>(columns)),
                    encoded.data() + static_cast<std::size_t>(row) * row_bytes);
      }
    });
    writer.append(part.tensor.name, encoded);
  }
}

void write_vector(GgufWriter& writer, const Part& part, const WeightReader& weights) {
  std::vector<float> values(static_cast<std::size_t>(part.part->rows));
  weights(*part.parameter, part.first_row,
          Tensor(values.data(), DType::f32, Shape{part.part->rows}));
  writer.append(part.tensor.name, std::as_bytes(std::span(values)));
}

}  // namespace

void save_gguf(const std::string& path, const ModelConfig& config, const WeightReader& weights,
               const SaveGgufOptions& options) {
  if (!is_gguf_output(options.type)) {
    fail_input("a GGUF file is written as f32, f16, bf16 or q8_0, not {}", name_of(options.type));
  }
  const std::vector<ParameterSpec> table = parameter_table(config);
  const std::vector<Part> parts = parts_of(table, options.type);
  std::vector<GgufTensorSpec> tensors;
  for (const Part& part : parts) tensors.push_back(part.tensor);
  GgufWriter writer(path, metadata_of(config, options), std::move(tensors));
  for (const Part& part : parts) {
    if (part.parameter->shape.rank() == 1) {
      write_vector(writer, part, weights);
    } else {
      write_matrix(writer, part, weights);
    }
  }
  writer.finish();
}

}  // namespace fathom

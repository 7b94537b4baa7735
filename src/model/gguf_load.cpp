// GGUF models, in.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "core/error.h"
#include "core/parallel.h"
#include "io/stored_values.h"
#include "model/gguf.h"
#include "model/gguf_tensors.h"

namespace fathom {
namespace {

constexpr std::string_view prefix = "llama.";

std::string key_of(std::string_view name) {
  return std::string(prefix) + std::string(name);
}

void require_llama(const GgufFile& file) {
  const std::string architecture = file.text("general.architecture");
  if (architecture == "llama") return;
  fail_input("{}: 'general.architecture' is '{}': only llama opens", file.path(), architecture);
}

// Keys that must be absent or have the value with which nothing changes.
void refuse_other_mathematics(const GgufFile& file, const ModelConfig& config) {
  const auto refuse = [&](const std::string& key, std::string_view feature) {
    fail_input("{}: '{}' asks for {}: Fathom's model has none", file.path(), key, feature);
  };
  constexpr struct {
    const char *key, *feature;
    double off;
  } numbers[] = {{"expert_count", "experts", 0},
                 {"attention.sliding_window", "attention to the last tokens alone", 0},
                 {"rope.scaling.factor", "scaled rotary embeddings", 1},
                 {"rope.scale_linear", "scaled rotary embeddings", 1},
                 {"logit_scale", "scaled logits", 1},
                 {"embedding_scale", "scaled embeddings", 1},
                 {"residual_scale", "scaled residuals", 1},
                 {"attention.scale", "another scale of attention scores", 0},
                 {"attn_logit_softcapping", "capped attention scores", 0},
                 {"final_logit_softcapping", "capped logits", 0}};
  for (const auto& [key, feature, off] : numbers) {
    const auto value = file.find_number(key_of(key));
    if (value && *value != off) refuse(key_of(key), feature);
  }
  const auto scaling = file.find_text(key_of("rope.scaling.type"));
  if (scaling && *scaling != "none" && *scaling != "linear") {
    refuse(key_of("rope.scaling.type"), "scaled rotary embeddings");
  }
  if (file.find("rope_freqs.weight")) {
    fail_input(
        "{}: the tensor 'rope_freqs.weight' scales rotary embeddings: Fathom's model has no "
        "such scaling",
        file.path());
  }
  const auto rotated = file.find_integer(key_of("rope.dimension_count"));
  if (rotated && *rotated != config.head_dim) {
    refuse(key_of("rope.dimension_count"), "rotary embeddings of a part of each head");
  }
  const auto values = file.find_integer(key_of("attention.value_length"));
  if (values && *values != config.head_dim) {
    refuse(key_of("attention.value_length"), "values of another width than keys");
  }
}

std::int64_t rows_of_embedding(const GgufFile& file) {
  const GgufTensor* const embedding = file.find("token_embd.weight");
  if (!embedding) fail_input("{}: the tensor 'token_embd.weight' is missing", file.path());
  if (embedding->shape.size() != 2) {
    fail_input("{}: the tensor 'token_embd.weight' is no matrix", file.path());
  }
  return embedding->shape[0];
}

ModelConfig read_config(const GgufFile& file) {
  ModelConfig config;
  config.num_layers = file.integer(key_of("block_count"));
  config.hidden_size = file.integer(key_of("embedding_length"));
  config.intermediate_size = file.integer(key_of("feed_forward_length"));
  config.num_heads = file.integer(key_of("attention.head_count"));
  config.num_kv_heads = file.find_integer(key_of("attention.head_count_kv")).value_or(0);
  config.head_dim = file.find_integer(key_of("attention.key_length")).value_or(0);
  config.rms_norm_eps = file.number(key_of("attention.layer_norm_rms_epsilon"));
  config.rope_theta = file.find_number(key_of("rope.freq_base")).value_or(10000);
  config.max_position = file.integer(key_of("context_length"));
  config.vocab_size = rows_of_embedding(file);
  config.tie_embeddings = file.find("output.weight") == nullptr;
  constexpr std::int64_t most_layers = 100'000;
  if (config.num_layers > most_layers) {
    fail_input("{}: '{}' is {}", file.path(), key_of("block_count"), config.num_layers);
  }
  return with_location(file.path(), [&] { return resolve(config); });
}

DType weights_dtype(const GgufFile& file) {
  for (const GgufTensor& tensor : file.tensors()) {
    if (tensor.shape.size() > 1 && tensor.type != GgufType::bf16) return DType::f32;
  }
  return DType::bf16;
}

// Of the file's tensor under `name`, with the shape of the part.
const GgufTensor& checked_tensor(const GgufFile& file, const ParameterSpec& spec,
                                 const ParameterSpec::HuggingFacePart& part) {
  const std::string name = gguf::tensor_name(spec, part);
  const GgufTensor* const tensor = file.find(name);
  if (!tensor) fail_input("{}: the tensor '{}' is missing; its keys ask for it", file.path(), name);
  std::vector<std::int64_t> shape(spec.shape.dims().begin(), spec.shape.dims().end());
  shape[0] = part.rows;
  if (tensor->shape != shape) {
    fail_input("{}: the tensor '{}' has the shape [{}], but its keys make it [{}]", file.path(),
               name, fmt::join(tensor->shape, ", "), fmt::join(shape, ", "));
  }
  return *tensor;
}

void check_tensors(const GgufFile& file, const ModelConfig& config) {
  std::set<std::string> expected;
  for (const ParameterSpec& spec : parameter_table(config)) {
    for (const auto& part : spec.parts) {
      expected.insert(checked_tensor(file, spec, part).name);
    }
  }
  for (const GgufTensor& tensor : file.tensors()) {
    if (expected.contains(tensor.name)) continue;
    fail_input("{}: holds the tensor '{}', which Fathom's model has not", file.path(), tensor.name);
  }
}

// The type of values that stand by themselves; none: they are in blocks.
std::optional<StoredType> plain_type(GgufType type) {
  if (type == GgufType::f32) return StoredType::f32;
  if (type == GgufType::f16) return StoredType::f16;
  if (type == GgufType::bf16) return StoredType::bf16;
  return std::nullopt;
}

// Dequantises one row and rounds it to the type of `to`.
void read_row(const GgufTensor& tensor, std::int64_t row, std::vector<float>& values, DType type,
              std::byte* to) {
  if (const auto plain = plain_type(tensor.type)) {
    return convert_stored(tensor.row(row), *plain, to, type);
  }
  values.resize(static_cast<std::size_t>(tensor.shape.back()));
  decode_gguf(tensor.type, tensor.row(row), values.data());
  convert_stored(std::as_bytes(std::span(values)), StoredType::f32, to, type);
}

// Rows [first, first + count) of a matrix' part, in our order.
void read_rows(const GgufTensor& tensor, const ParameterSpec::HuggingFacePart& part,
               std::int64_t first, std::int64_t count, DType type, std::byte* to) {
  const std::size_t row_bytes = static_cast<std::size_t>(tensor.shape.back()) * size_of(type);
  parallel_for(count, 16, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> values;
    for (std::int64_t i = begin; i < end; ++i) {
      read_row(tensor, gguf::stored_row(part, first + i), values, type,
               to + static_cast<std::size_t>(i) * row_bytes);
    }
  });
}

void read_part(const GgufTensor& tensor, const ParameterSpec::HuggingFacePart& part,
               std::int64_t first, std::int64_t count, DType type, std::byte* to) {
  if (tensor.shape.size() == 2) return read_rows(tensor, part, first, count, type, to);
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  decode_gguf(tensor.type, tensor.data, values.data());
  const auto from =
      std::span(values).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
  convert_stored(std::as_bytes(from), StoredType::f32, to, type);
}

}  // namespace

ModelDescription load_gguf_description(const GgufFile& file) {
  require_llama(file);
  ModelDescription model;
  model.config = read_config(file);
  refuse_other_mathematics(file, model.config);
  model.dtype = weights_dtype(file);
  const auto token = [&](const char* key) {
    const auto id = file.find_integer(key);
    if (id && (*id < 0 || *id >= model.config.vocab_size)) {
      fail_input("{}: '{}' is {}: the model's tokens are 0 to {}", file.path(), key, *id,
                 model.config.vocab_size - 1);
    }
    return id;
  };
  model.bos_token = token("tokenizer.ggml.bos_token_id");
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    const auto id = token(key);
    if (id && std::ranges::find(model.eos_tokens, *id) == model.eos_tokens.end()) {
      model.eos_tokens.push_back(*id);
    }
  }
  return model;
}

WeightReader gguf_weights(const GgufFile& file, const ModelConfig& config) {
  check_tensors(file, config);
  return [&file](const ParameterSpec& spec, std::int64_t first_row, Tensor rows) {
    auto* to = static_cast<std::byte*>(rows.data);
    const std::int64_t last_row = first_row + rows.shape[0];
    const std::int64_t columns = rows.shape.rank() == 2 ? rows.shape[1] : 1;
    std::int64_t part_begin = 0;
    for (const auto& part : spec.parts) {
      const std::int64_t begin = std::max(first_row, part_begin);
      const std::int64_t end = std::min(last_row, part_begin + part.rows);
      if (begin < end) {
        read_part(checked_tensor(file, spec, part), part, begin - part_begin, end - begin,
                  rows.dtype, to);
        to += static_cast<std::size_t>((end - begin) * columns) * size_of(rows.dtype);
      }
      part_begin += part.rows;
    }
  };
}

WeightsInPlace gguf_in_place(std::shared_ptr<const GgufFile> file) {
  const auto find = [&tensors = *file](const ParameterSpec& spec, DType dtype) -> const std::byte* {
    const std::byte *begin = nullptr, *end = nullptr;
    for (const auto& part : spec.parts) {
      const GgufTensor& tensor = checked_tensor(tensors, spec, part);
      const auto plain = plain_type(tensor.type);
      if (plain != stored_type_of(dtype) || gguf::reorders_rows(part)) return nullptr;
      if (begin && tensor.data.data() != end) return nullptr;
      if (!begin) begin = tensor.data.data();
      end = tensor.data.data() + tensor.data.size();
    }
    // The file's own alignment may be less than a value's.
    return reinterpret_cast<std::uintptr_t>(begin) % size_of(dtype) == 0 ? begin : nullptr;
  };
  return {find, std::move(file)};
}

BlockReader gguf_blocks(const GgufFile& file) {
  return [&file](const ParameterSpec& spec) {
    std::vector<const std::byte*> rows;
    for (const auto& part : spec.parts) {
      const GgufTensor& tensor = checked_tensor(file, spec, part);
      if (tensor.type != GgufType::q8_0) return std::vector<const std::byte*>{};
      for (std::int64_t row = 0; row < part.rows; ++row) {
        rows.push_back(tensor.row(gguf::stored_row(part, row)).data());
      }
    }
    return rows;
  };
}

}  // namespace fathom

#include "model/parameters.h"

#include "core/error.h"
#include "core/philox.h"
#include "model/shard.h"
#include "ops/elementwise.h"

namespace fathom {
namespace {

ParameterSpec norm(std::string name, std::string hugging_face, std::int64_t layer, std::int64_t d) {
  ParameterSpec spec;
  spec.name = std::move(name);
  spec.parts = {{std::move(hugging_face), d}};
  spec.shape = {d};
  spec.layer = layer;
  spec.init = Initializer::ones;
  spec.weight_decay = false;
  spec.gradient_is_partial = true;
  return spec;
}

// A matrix whose rows are the parts one after another. Split over its rows when
// split_dim is 0 (column-parallel: each rank computes some outputs), over its
// columns when 1 (row-parallel: each rank sums some inputs).
ParameterSpec matrix(std::string name, std::vector<ParameterSpec::HuggingFacePart> parts,
                     std::int64_t layer, std::int64_t columns, int split_dim) {
  ParameterSpec spec;
  std::int64_t rows = 0;
  for (const auto& part : parts) rows += part.rows;
  spec.name = std::move(name);
  spec.split_each_part = parts.size() > 1;
  spec.parts = std::move(parts);
  spec.shape = {rows, columns};
  spec.layer = layer;
  spec.split_dim = split_dim;
  spec.gradient_is_product = true;
  return spec;
}

ParameterSpec embedding(const ModelConfig& c) {
  const std::int64_t d = c.hidden_size, v = c.vocab_size;
  ParameterSpec spec = matrix("embedding.weight", {{"model.embed_tokens.weight", v}}, -1, d, 0);
  spec.gradient_is_product = false;
  return spec;
}

ParameterSpec block_matrix(std::string name, std::vector<ParameterSpec::HuggingFacePart> parts,
                           std::int64_t layer, std::int64_t columns, int split_dim) {
  ParameterSpec spec = matrix(std::move(name), std::move(parts), layer, columns, split_dim);
  spec.is_block_matrix = true;
  return spec;
}

void append_block(std::vector<ParameterSpec>& table, const ModelConfig& c, std::int64_t layer) {
  const std::string name = fmt::format("layers.{}.", layer);
  const std::string hf = fmt::format("model.layers.{}.", layer);
  const std::int64_t d = c.hidden_size, f = c.intermediate_size;
  table.push_back(norm(name + "attention_norm.weight", hf + "input_layernorm.weight", layer, d));
  table.push_back(block_matrix(name + "attention.qkv.weight",
                               {{hf + "self_attn.q_proj.weight", c.query_width(), c.num_heads},
                                {hf + "self_attn.k_proj.weight", c.kv_width(), c.num_kv_heads},
                                {hf + "self_attn.v_proj.weight", c.kv_width(), c.num_kv_heads}},
                               layer, d, 0));
  table.push_back(block_matrix(name + "attention.output.weight",
                               {{hf + "self_attn.o_proj.weight", d}}, layer, c.query_width(), 1));
  table.push_back(norm(name + "mlp_norm.weight", hf + "post_attention_layernorm.weight", layer, d));
  table.push_back(block_matrix(name + "mlp.gate_up.weight",
                               {{hf + "mlp.gate_proj.weight", f}, {hf + "mlp.up_proj.weight", f}},
                               layer, d, 0));
  table.push_back(
      block_matrix(name + "mlp.down.weight", {{hf + "mlp.down_proj.weight", d}}, layer, f, 1));
}

// In elements, so that weights and gradients have the same places, and at least 256
// bytes of either.
constexpr std::int64_t alignment = 128;

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

std::vector<ParameterSpec> parameter_table(const ModelConfig& c) {
  std::vector<ParameterSpec> table;
  const std::int64_t d = c.hidden_size, v = c.vocab_size;
  table.push_back(embedding(c));
  for (std::int64_t layer = 0; layer < c.num_layers; ++layer) append_block(table, c, layer);
  table.push_back(norm("final_norm.weight", "model.norm.weight", c.num_layers, d));
  if (!c.tie_embeddings) {
    table.push_back(matrix("head.weight", {{"lm_head.weight", v}}, c.num_layers, d, 0));
  }
  return table;
}

ParameterStore::ParameterStore(std::vector<ParameterSpec> specs, DType dtype, Gradients gradients,
                               Device device, const TensorShard& shard, int ranks,
                               Products products)
    : dtype_(dtype), shard_(shard) {
  for (const ParameterSpec& spec : specs) {
    flat_elements_ += round_up(shard_shape(spec, shard).elements(), alignment);
  }
  flat_elements_ = round_up(flat_elements_, alignment * ranks);
  const auto elements = static_cast<std::size_t>(flat_elements_);
  weights_ = Buffer(device, elements * size_of(dtype));
  if (gradients == Gradients::f32) gradients_ = Buffer(device, elements * sizeof(float));
  std::int64_t first = 0;
  for (ParameterSpec& spec : specs) {
    Parameter parameter;
    const Shape shape = shard_shape(spec, shard);
    const auto at = static_cast<std::size_t>(first);
    parameter.first = first;
    parameter.weight = weights_.tensor(dtype, shape, at * size_of(dtype));
    if (gradients == Gradients::f32) {
      parameter.gradient = gradients_.tensor(DType::f32, shape, at * sizeof(float));
    }
    parameter.spec = std::move(spec);
    parameters_.push_back(std::move(parameter));
    first += round_up(shape.elements(), alignment);
  }
  if (products == Products::fp8) add_fp8_copies(device);
}

namespace {

// Hands out pieces of a buffer to come: first to learn its size, then its tensors.
class Pieces {
 public:
  explicit Pieces(const Buffer* buffer) : buffer_(buffer) {}

  Tensor take(DType dtype, Shape shape) {
    const std::size_t at = end_;
    const auto bytes = static_cast<std::size_t>(shape.elements()) * size_of(dtype);
    end_ = at + (bytes + alignment_bytes - 1) / alignment_bytes * alignment_bytes;
    return buffer_ ? buffer_->tensor(dtype, shape, at) : Tensor{};
  }
  std::size_t bytes() const { return end_; }

 private:
  static constexpr std::size_t alignment_bytes = 256;
  const Buffer* buffer_;
  std::size_t end_ = 0;
};

bool fits_fp8(const Parameter& parameter) {
  const Shape& shape = parameter.weight.shape;
  return parameter.spec.is_block_matrix && shape[0] % ops::fp8_multiple == 0 &&
         shape[1] % ops::fp8_multiple == 0;
}

Fp8Weight fp8_copies(const Shape& shape, Pieces& pieces) {
  return {.values = pieces.take(DType::u8, shape),
          .transposed = pieces.take(DType::u8, {shape[1], shape[0]}),
          .scale = pieces.take(DType::f32, {1})};
}

bool fits_int8(const Shape& shape) {
  return shape.rank() == 2 && shape[1] % ops::int8_block == 0;
}

void place(Parameter& parameter, DType dtype, MatrixStorage storage, Pieces& pieces) {
  if (parameter.is_in_place) return;
  const Shape& shape = parameter.spec.shape;
  if (storage == MatrixStorage::dtype || !fits_int8(shape)) {
    parameter.weight = pieces.take(dtype, shape);
    return;
  }
  parameter.weight = pieces.take(DType::u8, shape);
  parameter.scales = pieces.take(DType::u16, {shape[0], shape[1] / ops::int8_block});
}

// Points the parameter at its values in a file, if they lie there as a store has them.
void find_in_place(Parameter& parameter, DType dtype, const WeightsInPlace& in_place) {
  const std::byte* const data = in_place.find(parameter.spec, dtype);
  if (!data) return;
  parameter.is_in_place = true;
  // Nothing writes weights of a model that only runs forward, once they are loaded.
  parameter.weight = Tensor(const_cast<std::byte*>(data), dtype, parameter.spec.shape);
}

}  // namespace

ParameterStore::ParameterStore(std::vector<ParameterSpec> specs, DType dtype, MatrixStorage storage,
                               Device device, WeightsInPlace in_place)
    : dtype_(dtype), in_place_owner_(std::move(in_place.owner)) {
  for (ParameterSpec& spec : specs) {
    Parameter& parameter = parameters_.emplace_back();
    parameter.spec = std::move(spec);
    const bool is_int8 = storage == MatrixStorage::int8 && fits_int8(parameter.spec.shape);
    if (in_place.find && device == cpu_device && !is_int8)
      find_in_place(parameter, dtype, in_place);
  }
  Pieces sizes(nullptr);
  for (Parameter& parameter : parameters_) place(parameter, dtype, storage, sizes);
  weights_ = Buffer(device, sizes.bytes());
  Pieces pieces(&weights_);
  for (Parameter& parameter : parameters_) place(parameter, dtype, storage, pieces);
}

void ParameterStore::add_fp8_copies(Device device) {
  const auto place = [this](Pieces pieces) {
    for (Parameter& parameter : parameters_) {
      if (fits_fp8(parameter)) parameter.fp8 = fp8_copies(parameter.weight.shape, pieces);
    }
    return pieces.bytes();
  };
  fp8_ = Buffer(device, place(Pieces(nullptr)));
  place(Pieces(&fp8_));
}

void ParameterStore::weights_changed() {
  for (Parameter& parameter : parameters_) {
    if (parameter.fp8) parameter.fp8->is_stale = true;
  }
}

Parameter* ParameterStore::find(std::string_view name) {
  for (Parameter& parameter : parameters_) {
    if (parameter.spec.name == name) return &parameter;
  }
  return nullptr;
}

Parameter& ParameterStore::at(std::string_view name) {
  Parameter* parameter = find(name);
  require(parameter, "there is no parameter '{}' here", name);
  return *parameter;
}

void ParameterStore::begin_gradients(Context& context) {
  weights_changed();  // so that a recorded step always makes what it needs of them
  for (Parameter& parameter : parameters_) {
    parameter.gradient_is_stale = parameter.spec.gradient_is_product;
    if (parameter.gradient && !parameter.gradient_is_stale) {
      ops::fill(context, parameter.gradient, 0.0f);
    }
  }
}

namespace {

// Values of a part of the parameter that begins at (row, column) of it.
void initialize_part(Context& context, const ParameterSpec& spec, double init_std,
                     std::uint64_t seed, std::int64_t row, std::int64_t column, Tensor values) {
  if (spec.init == Initializer::ones) return ops::fill(context, values, 1.0f);
  ops::NormalFill fill;
  fill.standard_deviation = static_cast<float>(init_std);
  fill.seed = seed;
  fill.stream = stream_of(spec.name.data(), spec.name.size());
  fill.first_row = row;
  fill.first_column = column;
  fill.global_columns = spec.shape[-1];
  ops::fill_normal(context, values, fill);
}

}  // namespace

void initialize(Context& context, const ParameterSpec& spec, double init_std, std::uint64_t seed,
                Tensor values) {
  initialize_rows(context, spec, init_std, seed, 0, values);
}

void initialize_rows(Context& context, const ParameterSpec& spec, double init_std,
                     std::uint64_t seed, std::int64_t first_row, Tensor rows) {
  initialize_part(context, spec, init_std, seed, first_row, 0, rows);
}

void initialize(Context& context, const Parameter& parameter, const TensorShard& shard,
                double init_std, std::uint64_t seed) {
  for (const ShardBox& box : shard_boxes(parameter.spec, shard)) {
    const bool rows = parameter.spec.split_dim == 0;
    const Tensor part = rows ? parameter.weight.slice(box.local, box.shape[0]) : parameter.weight;
    initialize_part(context, parameter.spec, init_std, seed, box.offset.front(), box.offset.back(),
                    part);
  }
}

}  // namespace fathom

// Weights of Hugging Face directories, in.
#include "model/hugging_face.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/error.h"
#include "io/safetensors.h"
#include "io/stored_values.h"

namespace fathom {
namespace {

// Tensors that other programs store and that follow from the config.
bool is_redundant(const std::string& name, const ModelConfig& config) {
  return name.ends_with("rotary_emb.inv_freq") ||
         (config.tie_embeddings && name == "lm_head.weight");
}

void refuse_unknown_tensors(const SafetensorsSet& files, const ModelConfig& config) {
  std::set<std::string> expected;
  for (const ParameterSpec& spec : parameter_table(config)) {
    for (const auto& part : spec.parts) expected.insert(part.name);
  }
  for (const std::string& name : files.names()) {
    if (!expected.contains(name) && !is_redundant(name, config)) {
      fail_input("{}: holds the tensor '{}', which is none of the model in its config.json",
                 files.path(), name);
    }
  }
}

// A tied model has one matrix. Files may hold it under both names; which of two different
// ones is meant, the config does not say.
void check_tied_head(const SafetensorsSet& files, const ModelConfig& config) {
  const StoredTensor* const embedding = files.find("model.embed_tokens.weight");
  const StoredTensor* const head = files.find("lm_head.weight");
  if (!config.tie_embeddings || !embedding || !head) return;
  if (head->type == embedding->type && std::ranges::equal(head->data, embedding->data)) return;
  fail_input(
      "{}: 'lm_head.weight' is not equal to 'model.embed_tokens.weight', but config.json ties "
      "them; set 'tie_word_embeddings' to false there to use both, or remove 'lm_head.weight'",
      files.path());
}

const StoredTensor& checked_part(const SafetensorsSet& files, const ParameterSpec& spec,
                                 const ParameterSpec::HuggingFacePart& part) {
  const StoredTensor* tensor = files.find(part.name);
  if (!tensor) {
    fail_input("{}: the tensor '{}' is missing; its config.json asks for it", files.path(),
               part.name);
  }
  std::vector<std::int64_t> shape(spec.shape.dims().begin(), spec.shape.dims().end());
  shape[0] = part.rows;
  if (tensor->shape != shape) {
    fail_input("{}: the tensor '{}' has the shape [{}], but its config.json makes it [{}]",
               files.path(), part.name, fmt::join(tensor->shape, ", "), fmt::join(shape, ", "));
  }
  if (!is_convertible(tensor->type)) {
    fail_input("{}: the tensor '{}' is of type {}, not F32, BF16 or F16", files.path(), part.name,
               name_of(tensor->type));
  }
  return *tensor;
}

// Converts columns [column, column + width) of the `rows` stored rows to `to`, whose rows are as
// wide.
void convert_columns(const StoredTensor& stored, std::span<const std::byte> rows,
                     std::int64_t columns, std::int64_t column, std::int64_t width, void* to,
                     DType type) {
  if (width == columns) return convert_stored(rows, stored.type, to, type);
  const std::size_t size = size_of(stored.type);
  const std::size_t row_bytes = static_cast<std::size_t>(columns) * size;
  for (std::size_t at = 0; at < rows.size(); at += row_bytes) {
    const std::span<const std::byte> part = rows.subspan(
        at + static_cast<std::size_t>(column) * size, static_cast<std::size_t>(width) * size);
    convert_stored(part, stored.type, to, type);
    to = static_cast<std::byte*>(to) + static_cast<std::size_t>(width) * size_of(type);
  }
}

}  // namespace

DirectoryWeights::DirectoryWeights(const std::string& directory)
    : files_(directory), config_(load_model_config(directory)) {
  refuse_unknown_tensors(files_, config_);
  check_tied_head(files_, config_);
  for (ParameterSpec& spec : parameter_table(config_)) {
    for (const auto& part : spec.parts) checked_part(files_, spec, part);
    specs_.emplace(spec.name, std::move(spec));
  }
}

std::uint64_t DirectoryWeights::load_slice(std::string_view name,
                                           std::span<const std::int64_t> offset,
                                           Tensor into) const {
  const auto found = specs_.find(name);
  require(found != specs_.end(), "{}: no parameter '{}'", files_.path(), name);
  const ParameterSpec& spec = found->second;
  const bool matrix = spec.shape.rank() == 2;
  const std::int64_t columns = matrix ? spec.shape[1] : 1, width = matrix ? into.shape[1] : 1;
  const std::int64_t column = matrix ? offset[1] : 0;
  const std::int64_t first = offset[0], last = first + into.shape[0];
  auto* to = static_cast<std::byte*>(into.data);
  std::uint64_t bytes = 0;
  std::int64_t part_begin = 0;
  for (const auto& part : spec.parts) {
    const std::int64_t begin = std::max(first, part_begin);
    const std::int64_t end = std::min(last, part_begin + part.rows);
    if (begin < end) {
      const StoredTensor& stored = files_.at(part.name);
      convert_columns(stored, stored.rows(begin - part_begin, end - begin), columns, column, width,
                      to, into.dtype);
      const auto values = static_cast<std::uint64_t>((end - begin) * width);
      to += values * size_of(into.dtype);
      bytes += values * size_of(stored.type);
    }
    part_begin += part.rows;
  }
  return bytes;
}

const std::byte* DirectoryWeights::find_in_place(const ParameterSpec& spec, DType dtype) const {
  const std::byte* const begin = files_.at(spec.parts.front().name).data.data();
  const std::byte* end = begin;
  for (const auto& part : spec.parts) {
    const StoredTensor& stored = files_.at(part.name);
    if (stored.type != stored_type_of(dtype) || stored.data.data() != end) return nullptr;
    end += stored.data.size();
  }
  // The format promises no alignment.
  const bool aligned = reinterpret_cast<std::uintptr_t>(begin) % size_of(dtype) == 0;
  return aligned ? begin : nullptr;
}

void load_weights(const std::string& directory, ParameterStore& parameters, Context& context) {
  const DirectoryWeights weights(directory);
  load_weights(weights_of(weights), parameters, context);
}

WeightReader weights_of(const ParameterStore& parameters, Context& context) {
  return [&parameters, &context](const ParameterSpec& spec, std::int64_t first_row, Tensor rows) {
    // at() is for writers too; the store is not changed.
    const Tensor weight = const_cast<ParameterStore&>(parameters).at(spec.name).weight;
    const Tensor from = weight.slice(first_row, rows.shape[0]);
    const Buffer staging(cpu_device, from.bytes());
    copy_bytes(staging.data(), cpu_device, from.data, from.device, from.bytes(), context.stream);
    synchronize(from.device, context.stream);
    const std::span bytes(static_cast<const std::byte*>(staging.data()), from.bytes());
    convert_stored(bytes, stored_type_of(from.dtype), rows.data, rows.dtype);
  };
}

WeightReader weights_of(const DirectoryWeights& weights) {
  return [&weights](const ParameterSpec& spec, std::int64_t first_row, Tensor rows) {
    std::vector<std::int64_t> offset(static_cast<std::size_t>(spec.shape.rank()), 0);
    offset.front() = first_row;
    weights.load_slice(spec.name, offset, rows);
  };
}

WeightsInPlace in_place(std::shared_ptr<const DirectoryWeights> weights) {
  const DirectoryWeights* const files = weights.get();
  return {
      [files](const ParameterSpec& spec, DType dtype) { return files->find_in_place(spec, dtype); },
      std::move(weights)};
}

}  // namespace fathom

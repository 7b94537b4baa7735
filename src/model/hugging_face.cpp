// Weights of Hugging Face directories, in.
#include "model/hugging_face.h"

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

}  // namespace

void load_weights(const std::string& directory, ParameterStore& parameters, Context& context) {
  const SafetensorsSet files(directory);
  const ModelConfig config = load_model_config(directory);
  refuse_unknown_tensors(files, config);
  check_tied_head(files, config);
  // All claims are checked before the first weight changes.
  for (const Parameter& parameter : parameters.all()) {
    for (const auto& part : parameter.spec.parts) checked_part(files, parameter.spec, part);
  }
  for (const Parameter& parameter : parameters.all()) {
    std::int64_t row = 0;
    for (const auto& part : parameter.spec.parts) {
      const StoredTensor& stored = checked_part(files, parameter.spec, part);
      const Tensor rows = parameter.weight.slice(row, part.rows);
      row += part.rows;
      if (rows.device == cpu_device) {
        convert_stored(stored.data, stored.type, rows.data, rows.dtype);
        continue;
      }
      const Buffer staging(cpu_device, rows.bytes());
      convert_stored(stored.data, stored.type, staging.data(), rows.dtype);
      copy_bytes(rows.data, rows.device, staging.data(), cpu_device, rows.bytes(), context.stream);
      synchronize(rows.device, context.stream);
    }
  }
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

}  // namespace fathom

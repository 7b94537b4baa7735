// The PyTorch fixtures of tests/golden/make_model_goldens.py.
#pragma once

#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "model/stage.h"
#include "test_data.h"

namespace fathom::golden {

struct Golden {
  SafetensorsFile file;
  ModelConfig config;
  std::int64_t batch = 0, length = 0;

  explicit Golden(const std::string& name) : file(golden_path("model_" + name + ".safetensors")) {
    config.num_layers = number("layers");
    config.hidden_size = number("hidden_size");
    config.num_heads = number("heads");
    config.num_kv_heads = number("kv_heads");
    config.intermediate_size = number("mlp");
    config.vocab_size = number("vocab");
    config.max_position = 64;
    config = resolve(config);
    batch = file.at("ids").shape[1];
    length = file.at("ids").shape[2];
  }

  std::int64_t number(const std::string& key) const { return std::stoll(file.metadata().at(key)); }
  double real(const std::string& key) const { return std::stod(file.metadata().at(key)); }

  template <class T>
  std::vector<T> values(const std::string& name) const {
    const StoredTensor& tensor = file.at(name);
    std::vector<T> result(tensor.data.size() / sizeof(T));
    std::memcpy(result.data(), tensor.data.data(), tensor.data.size());
    return result;
  }
};

// A device tensor with the values of `host`, in memory of its own.
struct Uploaded {
  Buffer buffer;
  Tensor tensor;

  template <class T>
  Uploaded(const Context& context, const std::vector<T>& host, Shape shape)
      : buffer(context.device, host.size() * sizeof(T)), tensor(buffer.tensor(dtype_of<T>, shape)) {
    copy_bytes(buffer.data(), context.device, host.data(), cpu_device, buffer.bytes(),
               context.stream);
  }
};

inline std::vector<float> download(Context& context, Tensor tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  std::vector<std::byte> raw(tensor.bytes());
  copy_bytes(raw.data(), cpu_device, tensor.data, context.device, raw.size(), context.stream);
  synchronize(context.device, context.stream);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (tensor.dtype == DType::f32) {
      std::memcpy(&values[i], raw.data() + i * 4, 4);
    } else {
      bfloat16 value;
      std::memcpy(&value, raw.data() + i * 2, 2);
      values[i] = static_cast<float>(value);
    }
  }
  return values;
}

inline void upload(Context& context, const std::vector<float>& host, Tensor tensor) {
  std::vector<std::byte> raw(tensor.bytes());
  for (std::size_t i = 0; i < host.size(); ++i) {
    const bfloat16 rounded(host[i]);
    if (tensor.dtype == DType::f32)
      std::memcpy(raw.data() + i * 4, &host[i], 4);
    else
      std::memcpy(raw.data() + i * 2, &rounded, 2);
  }
  copy_bytes(tensor.data, context.device, raw.data(), cpu_device, raw.size(), context.stream);
  synchronize(context.device, context.stream);
}

// The tokens of one step: sequences one after another, in segments that end with
// the sequence or the document.
struct Step {
  Uploaded ids, targets, positions, offsets;
  std::optional<Uploaded> weights;  // of the losses, where the fixture has them
  MicroBatch batch;
  std::int64_t counted = 0;  // targets that are not −1

  Step(const Golden& golden, const Context& context, int step)
      : ids(context, part(golden, "ids", step), {golden.batch * golden.length}),
        targets(context, part(golden, "targets", step), {golden.batch * golden.length}),
        positions(context, place(golden), {golden.batch * golden.length}),
        offsets(context, segments(golden, step), count(segments(golden, step))) {
    batch.ids = ids.tensor;
    batch.targets = targets.tensor;
    if (golden.file.find("loss_weights")) {
      weights.emplace(context, part<float>(golden, "loss_weights", step),
                      Shape{golden.batch * golden.length});
      batch.loss_weights = weights->tensor;
    }
    batch.tokens.positions = positions.tensor;
    batch.tokens.segments = ops::describe_segments(offsets.tensor, segments(golden, step));
    for (const std::int32_t target : part(golden, "targets", step)) counted += target >= 0;
  }

 private:
  static Shape count(const std::vector<std::int32_t>& v) {
    return {static_cast<std::int64_t>(v.size())};
  }
  template <class T = std::int32_t>
  static std::vector<T> part(const Golden& golden, const char* name, int step) {
    const auto all = golden.values<T>(name);
    const auto n = golden.batch * golden.length;
    return {all.begin() + step * n, all.begin() + (step + 1) * n};
  }
  static std::vector<std::int32_t> place(const Golden& golden) {
    std::vector<std::int32_t> positions;
    for (std::int64_t i = 0; i < golden.batch * golden.length; ++i) {
      positions.push_back(static_cast<std::int32_t>(i % golden.length));
    }
    return positions;
  }
  static std::vector<std::int32_t> segments(const Golden& golden, int step) {
    const auto document = part(golden, "document", step);
    std::vector<std::int32_t> offsets;
    for (std::int32_t i = 0; i < std::ssize(document); ++i) {
      if (i % golden.length == 0 || document[i] != document[i - 1]) offsets.push_back(i);
    }
    offsets.push_back(static_cast<std::int32_t>(document.size()));
    return offsets;
  }
};

// ‖a − b‖ / ‖b‖; infinite when a is not finite.
inline double relative_error(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += (double(a.at(i)) - b[i]) * (double(a.at(i)) - b[i]);
    norm += double(b[i]) * b[i];
  }
  const double error = std::sqrt(difference / norm);
  return std::isfinite(error) ? error : INFINITY;
}

inline void load_weights(const Golden& golden, Context& context, ParameterStore& parameters) {
  for (Parameter& parameter : parameters.all()) {
    upload(context, golden.values<float>("weight." + parameter.spec.name), parameter.weight);
  }
}

}  // namespace fathom::golden

// The one table of a model's parameters. Initialisation, loading, sharding,
// optimizer groups, checkpoints and gradient synchronisation all iterate it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/buffer.h"
#include "core/context.h"
#include "model/config.h"

namespace fathom {

enum class Initializer { normal, ones };

struct ParameterSpec {
  // A range of rows of the parameter under Hugging Face's name for it.
  struct HuggingFacePart {
    std::string name;
    std::int64_t rows;
  };

  std::string name;                    // "layers.3.attention.qkv.weight"
  std::vector<HuggingFacePart> parts;  // in order, covering all rows
  Shape shape;                         // global: [out, in] or [d]
  std::int64_t layer = 0;              // block; -1: embedding; num_layers: final norm, head
  int split_dim = -1;                  // what tensor parallelism splits; -1: replicated
  bool split_each_part = false;        // each part is split on its own (Q, K, V; gate, up)
  Initializer init = Initializer::normal;
  bool weight_decay = true;
  // Under sequence parallelism each rank sees only its tokens, so the gradient
  // is summed over the tensor group.
  bool gradient_is_partial = false;
};

// All parameters of the model in their fixed global order.
std::vector<ParameterSpec> parameter_table(const ModelConfig& config);

// A parameter that lives here: `weight` in the model's dtype, and its gradient
// in f32 (absent when the model only runs forward).
struct Parameter {
  ParameterSpec spec;
  Tensor weight;
  Tensor gradient;
};

enum class Gradients { none, f32 };

// Owns the weights of a set of parameters, and their gradients, each in one
// contiguous buffer in table order, every tensor at a multiple of 256 bytes.
class ParameterStore {
 public:
  ParameterStore(std::vector<ParameterSpec> specs, DType dtype, Gradients gradients, Device device);

  std::vector<Parameter>& all() { return parameters_; }
  const std::vector<Parameter>& all() const { return parameters_; }
  // Throws a run-time Error when absent; find returns null.
  Parameter& at(std::string_view name);
  Parameter* find(std::string_view name);

  void zero_gradients(Context& context);
  std::size_t weight_bytes() const { return weights_.bytes(); }
  std::size_t gradient_bytes() const { return gradients_.bytes(); }
  DType dtype() const { return dtype_; }

 private:
  DType dtype_;
  Buffer weights_, gradients_;
  std::vector<Parameter> parameters_;
};

// Writes the initial values of `spec` to `values` (f32 or bf16, the whole global
// tensor): normal with the config's standard deviation, drawn by name and place
// (ops::fill_normal), or ones.
void initialize(Context& context, const ParameterSpec& spec, double init_std, std::uint64_t seed,
                Tensor values);

}  // namespace fathom

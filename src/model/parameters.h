// The one table of a model's parameters. Initialisation, loading, sharding,
// optimizer groups, checkpoints and gradient synchronisation all iterate it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/buffer.h"
#include "core/context.h"
#include "model/config.h"
#include "ops/fp8.h"
#include "ops/int8.h"
#include "ops/matmul.h"

namespace fathom {

enum class Initializer { normal, ones };

struct ParameterSpec {
  // A range of rows of the parameter under Hugging Face's name for it.
  struct HuggingFacePart {
    std::string name;
    std::int64_t rows;
    std::int64_t units = 0;  // runs of rows that stay together (heads); 0: each row is one
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
  // Its gradient is a sum of ops::linear_backward_weight's products and of nothing else.
  bool gradient_is_product = false;
  bool is_block_matrix = false;  // of a linear layer in a block
};

// All parameters of the model in their fixed global order.
std::vector<ParameterSpec> parameter_table(const ModelConfig& config);

// A rank's place in the group that splits each layer (tensor parallelism).
struct TensorShard {
  int rank = 0, ranks = 1;
  bool operator==(const TensorShard&) const = default;
};

// What the matrices of the blocks are multiplied in while a model trains. The embedding, the head
// and the norms stay in the model's dtype.
enum class Products {
  dtype,  // the model's
  fp8,    // 8-bit floating point (ops/fp8.h)
};
inline std::span<const std::string_view> enum_names(Products) {
  static constexpr std::string_view names[] = {"dtype", "fp8"};
  return names;
}

// The FP8 copy of a weight in both orders, rounded anew when a product first needs it after the
// weight has changed.
struct Fp8Weight {
  Tensor values;      // [out, in] u8
  Tensor transposed;  // [in, out] u8
  Tensor scale;       // [1] f32
  bool is_stale = true;

  ops::Fp8Matrix matrix() const { return {values, scale, ops::Fp8Format::e4m3}; }
  ops::Fp8Matrix transposed_matrix() const { return {transposed, scale, ops::Fp8Format::e4m3}; }
};

// A parameter that lives here, or this rank's part of it (model/shard.h): `weight` in
// the model's dtype, and its gradient in f32 (absent when the model only runs
// forward).
struct Parameter {
  ParameterSpec spec;
  Tensor weight;
  // Of a weight in 8 bits, which is then u8 (ops/int8.h); absent: it is in the model's dtype.
  Tensor scales;
  Tensor gradient;
  std::int64_t first = 0;          // its place in flat_weights() and flat_gradients()
  bool gradient_is_stale = false;  // it is an earlier step's: the next product replaces it

  std::optional<Fp8Weight> fp8;  // absent: products are in the weight's own type
  bool is_in_place = false;  // the weight lies in a file's pages, which are only read

  bool is_int8() const { return static_cast<bool>(scales); }
  ops::Int8Matrix int8() const { return {weight, scales}; }
  // How the next product enters the gradient.
  ops::Accumulate accumulate() {
    return std::exchange(gradient_is_stale, false) ? ops::Accumulate::overwrite
                                                   : ops::Accumulate::add;
  }
};

enum class Gradients { none, f32 };

// How a model that only runs forward keeps its matrices.
enum class MatrixStorage {
  dtype,  // in the model's dtype
  int8,   // in 8 bits, where rows are a whole number of blocks (ops/int8.h)
};

// Memory that already holds weights as a store would: the pages of a mapped file.
struct WeightsInPlace {
  // The whole parameter, row after row in our order, in `dtype`; null: it does not lie there so.
  std::function<const std::byte*(const ParameterSpec&, DType)> find;
  std::shared_ptr<const void> owner;  // keeps the memory
};

// Owns the weights of a set of parameters, and their gradients, each in one
// contiguous buffer in table order, every tensor at a multiple of 128 elements.
class ParameterStore {
 public:
  // `ranks` that share the optimizer's work get equal parts of the buffers, which are
  // padded with zeros to a multiple. With Products::fp8 the blocks' matrices have FP8 copies beside
  // them, where their sizes suit FP8.
  ParameterStore(std::vector<ParameterSpec> specs, DType dtype, Gradients gradients, Device device,
                 const TensorShard& shard = {}, int ranks = 1, Products products = Products::dtype);
  // For inference on one rank; `dtype` is that of activations, norms and the matrices that are
  // not in 8 bits. On a CPU the store takes no memory for parameters that are in place.
  ParameterStore(std::vector<ParameterSpec> specs, DType dtype, MatrixStorage storage,
                 Device device, WeightsInPlace in_place = {});

  std::vector<Parameter>& all() { return parameters_; }
  const std::vector<Parameter>& all() const { return parameters_; }
  // Throws a run-time Error when absent; find returns null.
  Parameter& at(std::string_view name);
  Parameter* find(std::string_view name);

  // Forgets the gradients of the step before. Those that products make are not
  // cleared: the first product of the step overwrites them.
  void begin_gradients(Context& context);
  // To be called when weights were written: what was made of them is made anew.
  void weights_changed();
  const TensorShard& shard() const { return shard_; }
  // All of them as one vector, with the gaps between them, whose values are zero. Not of a store
  // with weights in 8 bits or in place.
  std::int64_t flat_elements() const { return flat_elements_; }
  Tensor flat_weights() const { return weights_.tensor(dtype_, {flat_elements_}); }
  Tensor flat_gradients() const { return gradients_.tensor(DType::f32, {flat_elements_}); }
  std::size_t weight_bytes() const { return weights_.bytes(); }  // without those in place
  std::size_t gradient_bytes() const { return gradients_.bytes(); }
  std::size_t fp8_bytes() const { return fp8_.bytes(); }
  DType dtype() const { return dtype_; }

 private:
  void add_fp8_copies(Device device);

  DType dtype_;
  TensorShard shard_;
  std::int64_t flat_elements_ = 0;
  Buffer weights_, gradients_, fp8_;
  std::shared_ptr<const void> in_place_owner_;
  std::vector<Parameter> parameters_;
};

// Writes the initial values of `spec` to `values` (f32 or bf16, the whole global
// tensor): normal with the config's standard deviation, drawn by name and place
// (ops::fill_normal), or ones.
void initialize(Context& context, const ParameterSpec& spec, double init_std, std::uint64_t seed,
                Tensor values);
// The same for rows from `first_row` on.
void initialize_rows(Context& context, const ParameterSpec& spec, double init_std,
                     std::uint64_t seed, std::int64_t first_row, Tensor rows);
// The same for the part of a parameter that `shard` holds, in place.
void initialize(Context& context, const Parameter& parameter, const TensorShard& shard,
                double init_std, std::uint64_t seed);

}  // namespace fathom

// A linear layer's weight with the precision of its products, the one place where a product
// meets its precision: neither layers nor boundaries ask which it is.
//
//   forward          backward
//   y = x wᵀ         dx = dy w         dw += dyᵀ x
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "model/parameters.h"

namespace fathom {

// What the operands of a product are rounded to; sums are always f32. int8: the weight alone is,
// and runs forward only (ops/int8.h). fp8: both are, with a scale a matrix (ops/fp8.h): weights and
// activations to E4M3, gradients to E5M2; dw stays in f32. In contexts without FP8 products, and
// for rows whose number is no multiple of ops::fp8_multiple, products are in the weight's own type.
enum class Precision { f32, bf16, int8, fp8 };

// An operand of products: a matrix, and what it was rounded to for them, so that several products
// share it. Without that each product rounds it for itself.
struct Operand {
  Operand(Tensor tensor_) : tensor(tensor_) {}  // NOLINT(google-explicit-constructor)

  Tensor tensor;                                 // [n, k]
  std::optional<ops::Fp8Matrix> fp8;             // [n, k]
  std::optional<ops::Fp8Matrix> fp8_transposed;  // [k, n]

  // Rows [first, first + count), for products over k alone.
  Operand slice(std::int64_t first, std::int64_t count) const;
};

class Linear {
 public:
  // `parameter` [out, in] outlives this. Products are in fp8 where it has FP8 copies, else of the
  // precision of its values.
  explicit Linear(Parameter& parameter);

  std::int64_t out_features() const { return parameter_->weight.shape[0]; }
  Precision precision() const { return precision_; }

  // y [n, out] = x [n, in] wᵀ
  void forward(Context& context, const Operand& x, Tensor y) const;
  // dy [n, out] for both products of a backward, in memory of the context's workspace.
  Operand gradient(Context& context, Tensor dy) const;
  // dx [n, in] = dy [n, out] w
  void backward_input(Context& context, const Operand& dy, Tensor dx) const;
  // dw [out, in] += dyᵀ x, in f32; a step's first product overwrites it.
  void backward_weight(Context& context, const Operand& dy, Tensor x) const;

  // Workspace that products of the parameters with `rows` rows take beside their operations' own.
  static std::size_t workspace_bytes(const ParameterStore& parameters, std::int64_t rows);

 private:
  bool multiplies_fp8(const Context& context, const Operand& x) const;
  Fp8Weight& fp8_weight(Context& context) const;

  Parameter* parameter_;
  Precision precision_;
};

}  // namespace fathom

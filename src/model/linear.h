// A linear layer's weight with the precision of its products, the one place where a product
// meets its precision: neither layers nor boundaries ask which it is.
//
//   forward          backward
//   y = x wᵀ         dx = dy w         dw += dyᵀ x
#pragma once

#include "model/parameters.h"

namespace fathom {

// What the operands of a product are rounded to; sums are always f32. int8: the weight alone is,
// and runs forward only (ops/int8.h).
enum class Precision { f32, bf16, int8 };

class Linear {
 public:
  // `parameter` [out, in] outlives this. Its products have the precision of its values.
  explicit Linear(Parameter& parameter);

  std::int64_t out_features() const { return parameter_->weight.shape[0]; }
  Precision precision() const { return precision_; }

  // y [n, out] = x [n, in] wᵀ
  void forward(Context& context, Tensor x, Tensor y) const;
  // dx [n, in] = dy [n, out] w
  void backward_input(Context& context, Tensor dy, Tensor dx) const;
  // dw [out, in] += dyᵀ x, in f32; a step's first product overwrites it.
  void backward_weight(Context& context, Tensor dy, Tensor x) const;

 private:
  Parameter* parameter_;
  Precision precision_;
};

}  // namespace fathom

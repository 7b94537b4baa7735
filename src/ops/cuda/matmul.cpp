// The three products of a linear layer, and the one that all of them are in FP8. cuBLAS counts by
// columns, and a row-major matrix is its own transpose there; so each product is computed
// transposed, with the operands exchanged.
#include "ops/matmul.h"

#include "ops/cuda/fixed_order_linear.h"
#include "ops/cuda/gemm.h"
#include "ops/cuda/skinny.h"
#include "ops/dispatch.h"

namespace fathom::ops::cuda {

// yᵀ [out, n] = w [out, in] · xᵀ [in, n]
void linear(Context& context, Tensor x, Tensor w, Tensor y, Accumulate accumulate) {
  if (context.batch_invariance == BatchInvariance::on) {
    return fixed_order_linear(context, x, w, y, accumulate);
  }
  if (accumulate == Accumulate::overwrite && skinny_linear(context, x, w, y)) return;
  gemm(context,
       {.m = w.shape[0],
        .n = x.rows(),
        .k = w.shape[1],
        .transpose_a = Transpose::yes,
        .type_a = operand_type(x.dtype),
        .type_b = operand_type(x.dtype),
        .product = y.dtype,
        .stride_a = w.row_stride,
        .stride_b = x.row_stride,
        .stride_d = y.row_stride,
        .beta = accumulate == Accumulate::add},
       w.data, x.data, y.data);
}

// dxᵀ [in, n] = wᵀ [in, out] · dyᵀ [out, n]
void linear_backward_input(Context& context, Tensor dy, Tensor w, Tensor dx,
                           Accumulate accumulate) {
  gemm(context,
       {.m = w.shape[1],
        .n = dy.rows(),
        .k = w.shape[0],
        .type_a = operand_type(dy.dtype),
        .type_b = operand_type(dy.dtype),
        .product = dx.dtype,
        .stride_a = w.row_stride,
        .stride_b = dy.row_stride,
        .stride_d = dx.row_stride,
        .beta = accumulate == Accumulate::add},
       w.data, dy.data, dx.data);
}

// dwᵀ [in, out] (+)= xᵀ [in, n] · dy [n, out]
void linear_backward_weight(Context& context, Tensor dy, Tensor x, Tensor dw,
                            Accumulate accumulate) {
  gemm(context,
       {.m = dw.shape[1],
        .n = dw.shape[0],
        .k = dy.rows(),
        .transpose_b = Transpose::yes,
        .type_a = operand_type(dy.dtype),
        .type_b = operand_type(dy.dtype),
        .product = DType::f32,
        .stride_a = x.row_stride,
        .stride_b = dy.row_stride,
        .stride_d = dw.row_stride,
        .beta = accumulate == Accumulate::add},
       x.data, dy.data, dw.data);
}

// yᵀ [m, n] = w [m, k] · xᵀ [k, n]
void linear_fp8(Context& context, const Fp8Matrix& x, const Fp8Matrix& w, Tensor y, Fp8Role role,
                Accumulate accumulate) {
  const auto type_of = [](const Fp8Matrix& matrix) {
    return matrix.format == Fp8Format::e4m3 ? OperandType::e4m3 : OperandType::e5m2;
  };
  gemm(context,
       {.m = w.values.rows(),
        .n = x.values.rows(),
        .k = w.values.cols(),
        .transpose_a = Transpose::yes,
        .type_a = type_of(w),
        .type_b = type_of(x),
        .product = y.dtype,
        .stride_a = w.values.row_stride,
        .stride_b = x.values.row_stride,
        .stride_d = y.row_stride,
        .beta = accumulate == Accumulate::add,
        .fast_sum = role == Fp8Role::output},
       w.values.data, x.values.data, y.data,
       {w.scale.as<const float>(), x.scale.as<const float>()});
}

}  // namespace fathom::ops::cuda

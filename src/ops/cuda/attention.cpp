// Chooses how attention is computed: by cuDNN where it can, else by our own kernels.
#include <algorithm>

#include "core/log.h"
#include "ops/cuda/attention_rows.h"
#include "ops/cuda/cudnn_attention.h"
#include "ops/cuda/cudnn_library.h"
#include "ops/dispatch.h"

namespace fathom::ops::cuda {
namespace {

bool use_cudnn(const Context& context, const AttentionCall& call) {
  if (call.q.elements() == 0 || !cudnn_takes(context, call)) return false;
  const CudnnLibrary& cudnn = cudnn_library();
  if (cudnn.problem.empty()) return true;
  [[maybe_unused]] static const bool warned = [&] {
    log::warning("attention runs many times slower than this GPU can, without cuDNN: {}",
                 cudnn.problem);
    return true;
  }();
  return false;
}

}  // namespace

void attention(Context& context, Tensor q, Tensor k, Tensor v, const Segments& segments,
               const HeadShape& heads, Tensor out, Tensor lse) {
  const AttentionCall call{q, k, v, out, lse, segments, heads};
  if (use_cudnn(context, call)) return cudnn_attention(context, call);
  attention_rows(context, q, k, v, segments, heads, out, lse);
}

void attention_backward(Context& context, Tensor dout, Tensor q, Tensor k, Tensor v, Tensor out,
                        Tensor lse, const Segments& segments, const HeadShape& heads, Tensor dq,
                        Tensor dk, Tensor dv) {
  const AttentionCall call{q, k, v, out, lse, segments, heads, dout, dq, dk, dv};
  if (use_cudnn(context, call)) return cudnn_attention_backward(context, call);
  attention_rows_backward(context, dout, q, k, v, out, lse, segments, heads, dq, dk, dv);
}

std::size_t attention_workspace(DType dtype, const HeadShape& heads, const AttentionBounds& bounds,
                                Determinism determinism) {
  const std::size_t rows = rows_workspace(heads, bounds.tokens);
  if (dtype != DType::bf16 || !cudnn_library().problem.empty()) return rows;
  return std::max(rows, cudnn_workspace(heads, bounds, determinism));
}

std::string attention_backend() {
  const CudnnLibrary& cudnn = cudnn_library();
  if (!cudnn.problem.empty()) return fmt::format("own kernels, slow: {}", cudnn.problem);
  return fmt::format("cuDNN {} ({})", cudnn.version_text(), cudnn.path);
}

}  // namespace fathom::ops::cuda

// Chooses how attention is computed: by cuDNN where it can, else by our own kernels, on
// tensor cores where those can, else a row at a time.
#include <algorithm>

#include "core/log.h"
#include "ops/cuda/attention_rows.h"
#include "ops/cuda/attention_tiles.h"
#include "ops/cuda/cudnn_attention.h"
#include "ops/cuda/cudnn_library.h"
#include "ops/dispatch.h"

namespace fathom::ops::cuda {
namespace {

bool use_cudnn(const Context& context, const AttentionCall& call) {
  if (!cudnn_takes(context, call)) return false;
  const CudnnLibrary& cudnn = cudnn_library();
  if (cudnn.problem.empty()) return true;
  [[maybe_unused]] static const bool warned = [&] {
    log::warning("attention is slower than this GPU could be, without cuDNN: {}", cudnn.problem);
    return true;
  }();
  return false;
}

// Of the heads alone: our kernels for tensor cores take 64 and 128, cuDNN's more.
void warn_of_slow_heads(const AttentionCall& call) {
  const std::int64_t size = call.heads.head_dim;
  if (call.q.dtype != DType::bf16 || size == 64 || size == 128) return;
  if (cudnn_takes(call.heads) && cudnn_library().problem.empty()) return;
  [[maybe_unused]] static const bool warned = [&] {
    log::warning("attention over heads of {} goes a row at a time: heads of 64 or 128 are faster "
                 "on a GPU",
                 size);
    return true;
  }();
}

bool use_tiles(const AttentionCall& call) {
  for (const Tensor& tensor :
       {call.q, call.k, call.v, call.out, call.dout, call.dq, call.dk, call.dv}) {
    if (tensor && !tiles_take(call.heads, tensor)) {
      warn_of_slow_heads(call);
      return false;
    }
  }
  return true;
}

}  // namespace

void attention(Context& context, Tensor q, Tensor k, Tensor v, const Segments& segments,
               const HeadShape& heads, Tensor out, Tensor lse) {
  if (q.elements() == 0) return;
  const AttentionCall call{q, k, v, out, lse, segments, heads};
  // How cuDNN divides a call is its own affair.
  const bool any_order = context.batch_invariance == BatchInvariance::off;
  if (any_order && use_cudnn(context, call)) return cudnn_attention(context, call);
  if (use_tiles(call)) return attention_tiles(context, q, k, v, segments, heads, out, lse);
  attention_rows(context, q, k, v, segments, heads, out, lse);
}

void attention_backward(Context& context, Tensor dout, Tensor q, Tensor k, Tensor v, Tensor out,
                        Tensor lse, const Segments& segments, const HeadShape& heads, Tensor dq,
                        Tensor dk, Tensor dv) {
  if (q.elements() == 0) return;
  const AttentionCall call{q, k, v, out, lse, segments, heads, dout, dq, dk, dv};
  if (use_cudnn(context, call)) return cudnn_attention_backward(context, call);
  const auto backward = use_tiles(call) ? attention_tiles_backward : attention_rows_backward;
  backward(context, dout, q, k, v, out, lse, segments, heads, dq, dk, dv);
}

// Own kernels need a number per row and head, and may be taken instead of cuDNN's.
std::size_t attention_workspace(DType dtype, const HeadShape& heads, const AttentionBounds& bounds,
                                Determinism determinism) {
  const std::size_t own = rows_workspace(heads, bounds.tokens);
  if (dtype != DType::bf16 || !cudnn_library().problem.empty()) return own;
  return std::max(own, cudnn_workspace(heads, bounds, determinism));
}

std::string attention_backend() {
  const CudnnLibrary& cudnn = cudnn_library();
  if (!cudnn.problem.empty()) return fmt::format("own kernels: {}", cudnn.problem);
  return fmt::format("cuDNN {} ({})", cudnn.version_text(), cudnn.path);
}

}  // namespace fathom::ops::cuda

// Stands in for ops/cuda in a build without CUDA. No CUDA device is ever found
// there, so none of these can be reached through a Context.
#include "ops/dispatch.h"

namespace fathom::ops::cuda {
namespace {

[[noreturn]] void fail() {
  fail_runtime("this build of fathom has no CUDA backend; build with --preset cuda");
}

}  // namespace

void linear(Context&, Tensor, Tensor, Tensor, Accumulate) {
  fail();
}
void linear_backward_input(Context&, Tensor, Tensor, Tensor, Accumulate) {
  fail();
}
void linear_backward_weight(Context&, Tensor, Tensor, Tensor, Accumulate) {
  fail();
}

void quantize_fp8(Context&, Tensor, Fp8Format, Tensor, Tensor, Tensor) {
  fail();
}
void linear_fp8(Context&, const Fp8Matrix&, const Fp8Matrix&, Tensor, Fp8Role, Accumulate) {
  fail();
}

void add_rmsnorm(Context&, Tensor, Tensor, Tensor, float, Tensor, Tensor, Tensor) {
  fail();
}
void add_rmsnorm_backward(Context&, Tensor, Tensor, Tensor, Tensor, Incoming, Tensor, Tensor) {
  fail();
}

void rope(Context&, Tensor, Tensor, Tensor, RopeDirection) {
  fail();
}

void swiglu(Context&, Tensor, Tensor) {
  fail();
}
void swiglu_backward(Context&, Tensor, Tensor, Tensor) {
  fail();
}

void embedding(Context&, Tensor, Tensor, std::int64_t, Tensor) {
  fail();
}
void embedding_backward(Context&, Tensor, Tensor, std::int64_t, Tensor) {
  fail();
}

std::size_t attention_workspace(DType, const HeadShape&, const AttentionBounds&, Determinism) {
  return 0;
}
std::string attention_backend() {
  return "none: this build of fathom has no CUDA backend";
}
void attention(Context&, Tensor, Tensor, Tensor, const Segments&, const HeadShape&, Tensor,
               Tensor) {
  fail();
}
void attention_backward(Context&, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, const Segments&,
                        const HeadShape&, Tensor, Tensor, Tensor) {
  fail();
}
void paged_attention(Context&, Tensor, Tensor, Tensor, const PagedContext&, const HeadShape&,
                     Tensor) {
  fail();
}
void store_kv(Context&, Tensor, Tensor, Tensor, Tensor, Tensor) {
  fail();
}
void rope_to_cache(Context&, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor) {
  fail();
}

void cross_entropy(Context&, Tensor, Tensor, LogitsGradient, const LossWeights&, Tensor) {
  fail();
}
void cross_entropy_part(Context&, Tensor, Tensor, std::int64_t, Tensor) {
  fail();
}
void cross_entropy_from_parts(Context&, Tensor, Tensor, Tensor, std::int64_t, LogitsGradient,
                              const LossWeights&, Tensor) {
  fail();
}

void draw_tokens(Context&, Tensor, Tensor, Tensor, Tensor, const DrawnTokens&) {
  fail();
}

void add_sum_of_squares(Context&, Tensor, Tensor) {
  fail();
}
void clip_scale(Context&, Tensor, float, Tensor, Tensor) {
  fail();
}
void set_adamw_step(Context&, const AdamWScalars&, Tensor) {
  fail();
}
void adamw(Context&, Tensor, Tensor, const AdamWConstants&, Tensor, Tensor, Tensor, Tensor) {
  fail();
}
void adamw_slices(Context&, std::span<const AdamWSlice>, Tensor, Tensor, const AdamWConstants&) {
  fail();
}

void convert(Context&, Tensor, Tensor) {
  fail();
}
void add(Context&, Tensor, Tensor, Tensor) {
  fail();
}
void fill(Context&, Tensor, float) {
  fail();
}
void fill_normal(Context&, Tensor, const NormalFill&) {
  fail();
}

}  // namespace fathom::ops::cuda

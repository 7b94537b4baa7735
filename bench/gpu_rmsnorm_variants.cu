#include <algorithm>

#include "gpu_rmsnorm_variants.h"
#include "ops/cuda/rmsnorm_ring.h"

namespace fathom::ops {
namespace {

using T = __nv_bfloat16;

template <int R, int D>
void run(Context& context, cuda::RmsnormBackward<T> call) {
  const auto kernel = cuda::rmsnorm_ring_kernel<T, R, D, 512>;
  using Ring = cuda::RmsnormRing<T, R, D>;
  const unsigned threads = cuda::blocks_for(call.cols / Ring::width, 32) * 32;
  const auto blocks =
      static_cast<unsigned>(std::min<std::int64_t>((call.rows + R - 1) / R, 132 * 1024 / threads));
  ArenaScope scope(context.workspace);
  const Shape shape{std::int64_t{blocks}, std::int64_t{call.cols}};
  call.partial = cuda::data_of<float>(context.workspace.take(DType::f32, shape));
  const std::size_t bytes = Ring::bytes(threads);
  fathom::cuda::check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                           static_cast<int>(bytes)),
                      "rmsnorm variant");
  kernel<<<blocks, threads, bytes, cuda::stream_of(context)>>>(call);
  cuda::check_launch("rmsnorm variant");
}

}  // namespace

void rmsnorm_backward_variant(Context& context, RmsnormVariant variant, Tensor dy, Tensor h,
                              Tensor weight, Tensor rstd, Tensor dh) {
  cuda::RmsnormBackward<T> call{};
  call.dy = cuda::rows_of<const T>(dy);
  call.h = cuda::rows_of<const T>(h);
  call.dh = cuda::rows_of<T>(dh);
  call.weight = cuda::data_of<const T>(weight);
  call.rstd = cuda::data_of<const float>(rstd);
  call.add = true;
  call.rows = dy.rows();
  call.cols = static_cast<int>(dy.cols());
  switch (variant.rows_a_turn * 10 + variant.turns) {
    case 12:
      return run<1, 2>(context, call);
    case 13:
      return run<1, 3>(context, call);
    case 14:
      return run<1, 4>(context, call);
    case 21:
      return run<2, 1>(context, call);
    case 22:
      return run<2, 2>(context, call);
    case 41:
      return run<4, 1>(context, call);
    default:
      fathom::cuda::check(cudaErrorInvalidValue, "rmsnorm variant");
  }
}

}  // namespace fathom::ops

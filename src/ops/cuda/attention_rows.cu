#include "ops/cuda/attend.h"
#include "ops/cuda/attention_rows.h"
#include "ops/cuda/lse_order.h"

namespace fathom::ops::cuda {
namespace {

struct Packing {
  const std::int32_t* offsets;
  int count;
  int heads_per_kv;
  float scale;
  LseOrder lse;
};

template <class T, int W, int P>
__global__ void forward_kernel(Rows<const T> q, Rows<const T> k, Rows<const T> v, Packing packing,
                               HeadGroups groups, Rows<T> out, float* lse) {
  const int row = blockIdx.x, head = blockIdx.y, kv_head = head / packing.heads_per_kv;
  const int begin = packing.offsets[segment_of(packing.offsets, packing.count, row)];
  float query[P][W];
  load_head(q[row] + head * groups.head_dim, groups, query);
#pragma unroll
  for (int p = 0; p < P; ++p) {
#pragma unroll
    for (int i = 0; i < W; ++i) query[p][i] *= packing.scale;
  }
  const int column = kv_head * groups.head_dim;
  const auto state = attend<W, P>(
      query, begin, row + 1, groups, [&](int t) { return k[t] + column; },
      [&](int t) { return v[t] + column; });
  T* const to = out[row] + head * groups.head_dim;
  const float2 total = merge_groups(
      state, groups, [&](int i, float x, float sum) { to[i] = from_float<T>(x / sum); });
  if (threadIdx.x == 0) lse[packing.lse.at(row, head)] = total.x + logf(total.y);
}

// --- Backward, a warp a row. With P = softmax(S), dP = dO Vᵀ and D = rowsum(dO ∘ O):
//   dS = P ∘ (dP − D),  dQ = scale · dS K,  dK = scale · dSᵀ Q,  dV = Pᵀ dO

constexpr int slices = max_head_dim / 32;  // elements of a head that one lane holds

template <class T>
__device__ void load_slices(const T* row, int head_dim, float (&x)[slices]) {
#pragma unroll
  for (int i = 0; i < slices; ++i) {
    const int at = i * 32 + threadIdx.x;
    x[i] = at < head_dim ? to_float(row[at]) : 0.0f;
  }
}
template <class T>
__device__ void store_slices(T* row, int head_dim, float factor, const float (&x)[slices]) {
#pragma unroll
  for (int i = 0; i < slices; ++i) {
    const int at = i * 32 + threadIdx.x;
    if (at < head_dim) row[at] = from_float<T>(factor * x[i]);
  }
}
__device__ float dot(const float (&a)[slices], const float (&b)[slices]) {
  float sum = 0;
#pragma unroll
  for (int i = 0; i < slices; ++i) sum += a[i] * b[i];
  return warp_sum(sum);
}
__device__ void add_scaled(float factor, const float (&x)[slices], float (&to)[slices]) {
#pragma unroll
  for (int i = 0; i < slices; ++i) to[i] += factor * x[i];
}

template <class T>
struct BackwardInputs {
  Rows<const T> dout, q, k, v, out;
  const float* lse;
  Rows<float> row_dots;  // D [num_heads, n]
  Packing packing;
  int head_dim;
};

template <class T>
__global__ void query_gradient_kernel(BackwardInputs<T> in, Rows<T> dq) {
  const int row = blockIdx.x, head = blockIdx.y, kv_head = head / in.packing.heads_per_kv;
  const int begin = in.packing.offsets[segment_of(in.packing.offsets, in.packing.count, row)];
  const int column = head * in.head_dim, kv_column = kv_head * in.head_dim;
  float q[slices], dout[slices], other[slices], sum[slices] = {};
  load_slices(in.q[row] + column, in.head_dim, q);
  load_slices(in.dout[row] + column, in.head_dim, dout);
  load_slices(in.out[row] + column, in.head_dim, other);
  const float row_dot = dot(dout, other), lse = in.lse[in.packing.lse.at(row, head)];
  if (threadIdx.x == 0) in.row_dots[head][row] = row_dot;
  for (int key = begin; key <= row; ++key) {
    load_slices(in.v[key] + kv_column, in.head_dim, other);
    const float dp = dot(dout, other);
    load_slices(in.k[key] + kv_column, in.head_dim, other);
    const float p = __expf(dot(q, other) * in.packing.scale - lse);
    add_scaled(p * (dp - row_dot), other, sum);
  }
  store_slices(dq[row] + column, in.head_dim, in.packing.scale, sum);
}

template <class T>
__global__ void key_gradient_kernel(BackwardInputs<T> in, Rows<T> dk, Rows<T> dv) {
  const int key = blockIdx.x, kv_head = blockIdx.y;
  const int end = in.packing.offsets[segment_of(in.packing.offsets, in.packing.count, key) + 1];
  const int kv_column = kv_head * in.head_dim;
  float k[slices], v[slices], q[slices], dout[slices], dk_sum[slices] = {}, dv_sum[slices] = {};
  load_slices(in.k[key] + kv_column, in.head_dim, k);
  load_slices(in.v[key] + kv_column, in.head_dim, v);
  for (int i = 0; i < in.packing.heads_per_kv; ++i) {
    const int head = kv_head * in.packing.heads_per_kv + i, column = head * in.head_dim;
    for (int row = key; row < end; ++row) {
      load_slices(in.q[row] + column, in.head_dim, q);
      load_slices(in.dout[row] + column, in.head_dim, dout);
      const float p = __expf(dot(q, k) * in.packing.scale - in.lse[in.packing.lse.at(row, head)]);
      const float ds = p * (dot(dout, v) - in.row_dots[head][row]);
      add_scaled(ds, q, dk_sum);
      add_scaled(p, dout, dv_sum);
    }
  }
  store_slices(dk[key] + kv_column, in.head_dim, in.packing.scale, dk_sum);
  store_slices(dv[key] + kv_column, in.head_dim, 1.0f, dv_sum);
}

Packing packing_of(const Segments& segments, const HeadShape& heads, std::int64_t rows) {
  return {data_of<const std::int32_t>(segments.offsets),
          static_cast<int>(segments.offsets.elements() - 1),
          static_cast<int>(heads.num_heads / heads.num_kv_heads), heads.scale(),
          lse_order(segments, heads, rows)};
}

}  // namespace

void attention_rows(Context& context, Tensor q, Tensor k, Tensor v, const Segments& segments,
                    const HeadShape& heads, Tensor out, Tensor lse) {
  if (q.elements() == 0) return;
  const cudaStream_t stream = stream_of(context);
  dispatch_native(q.dtype, [&](auto zero) {
    using T = decltype(zero);
    const bool vectors = vectorizable<T>(q) && vectorizable<T>(k) && vectorizable<T>(v);
    with_head_groups<T>(
        static_cast<int>(heads.head_dim), vectors, [&](auto w, auto p, HeadGroups groups) {
          const dim3 grid(static_cast<unsigned>(q.rows()), static_cast<unsigned>(heads.num_heads));
          forward_kernel<T, decltype(w)::value, decltype(p)::value>
              <<<grid, attend_threads, attend_shared_bytes(groups), stream>>>(
                  rows_of<const T>(q), rows_of<const T>(k), rows_of<const T>(v),
                  packing_of(segments, heads, q.rows()), groups, rows_of<T>(out),
                  data_of<float>(lse));
        });
  });
  check_launch("attention");
}

void attention_rows_backward(Context& context, Tensor dout, Tensor q, Tensor k, Tensor v,
                             Tensor out, Tensor lse, const Segments& segments,
                             const HeadShape& heads, Tensor dq, Tensor dk, Tensor dv) {
  if (q.elements() == 0) return;
  if (heads.head_dim > max_head_dim) {
    fathom::cuda::check(cudaErrorInvalidValue, "attention heads wider than 256");
  }
  const cudaStream_t stream = stream_of(context);
  ArenaScope scope(context.workspace);
  const Tensor row_dots = context.workspace.take(DType::f32, {heads.num_heads, q.rows()});
  dispatch_native(q.dtype, [&](auto zero) {
    using T = decltype(zero);
    const BackwardInputs<T> inputs{rows_of<const T>(dout),
                                   rows_of<const T>(q),
                                   rows_of<const T>(k),
                                   rows_of<const T>(v),
                                   rows_of<const T>(out),
                                   data_of<const float>(lse),
                                   rows_of<float>(row_dots),
                                   packing_of(segments, heads, q.rows()),
                                   static_cast<int>(heads.head_dim)};
    const auto rows = static_cast<unsigned>(q.rows());
    query_gradient_kernel<T><<<dim3(rows, static_cast<unsigned>(heads.num_heads)), 32, 0, stream>>>(
        inputs, rows_of<T>(dq));
    key_gradient_kernel<T>
        <<<dim3(rows, static_cast<unsigned>(heads.num_kv_heads)), 32, 0, stream>>>(
            inputs, rows_of<T>(dk), rows_of<T>(dv));
  });
  check_launch("attention_backward");
}

}  // namespace fathom::ops::cuda

// Attention on the CPU against the machine's GEMM peak.
//
//   cmake --preset release -DFATHOM_BENCH=ON && cmake --build --preset release
//   OMP_NUM_THREADS=2 build/release/bench/attention_bench
//
// GFLOP/s count the causal half only: 2 products of T (T + 1) / 2 · head_dim in
// the forward, 5 in the backward. The peak is dnnl_sgemm's on 1024³.
#include <benchmark/benchmark.h>
#include <oneapi/dnnl/dnnl.h>

#include <vector>

#include "ops/attention.h"

namespace fathom::ops {
namespace {

constexpr std::int64_t num_heads = 8;

void rate(benchmark::State& state, double flops) {
  state.counters["GFLOP/s"] = benchmark::Counter(flops * 1e-9 * state.iterations(),
                                                 benchmark::Counter::kIsRate);
}

void gemm_peak(benchmark::State& state) {
  constexpr std::int64_t n = 1024;
  std::vector<float> a(n * n, 0.5f), b(n * n, 0.25f), c(n * n);
  for (auto _ : state) {
    dnnl_sgemm('N', 'T', n, n, n, 1, a.data(), n, b.data(), n, 0, c.data(), n);
  }
  rate(state, 2.0 * n * n * n);
}
BENCHMARK(gemm_peak)->UseRealTime();

// `tokens` in segments of `length`, as the model calls it: inside a fused qkv.
struct Operands {
  Context context{cpu_device};
  std::int64_t length, tokens;
  HeadShape heads;
  DType dtype;
  Buffer memory;
  Tensor qkv, out, dout, lse, dqkv;
  std::vector<std::int32_t> offsets;
  Segments segments;

  explicit Operands(const benchmark::State& state)
      : length(state.range(0)),
        tokens(std::max<std::int64_t>(length, 2048)),
        heads{num_heads, num_heads / state.range(2), state.range(1)},
        dtype(state.range(3) ? DType::bf16 : DType::f32) {
    const std::int64_t width = heads.num_heads * heads.head_dim;
    const std::int64_t fused = width + 2 * heads.num_kv_heads * heads.head_dim;
    memory = Buffer(cpu_device, tokens * (2 * fused + 2 * width + num_heads) * 4 + 4096);
    std::size_t at = 0;
    const auto place = [&](DType type, Shape shape) {
      const Tensor tensor = memory.tensor(type, shape, at);
      at += (tensor.bytes() + 63) / 64 * 64;
      return tensor;
    };
    qkv = place(dtype, {tokens, fused});
    dqkv = place(dtype, {tokens, fused});
    out = place(dtype, {tokens, width});
    dout = place(dtype, {tokens, width});
    lse = place(DType::f32, {num_heads, tokens});
    dispatch_floating(dtype, [&](auto type) {
      using T = decltype(type);
      for (const Tensor& x : {qkv, dout}) {
        for (std::int64_t i = 0; i < x.elements(); ++i) {
          x.as<T>()[i] = T(static_cast<float>(i * 7919 % 2001) / 1000 - 1);
        }
      }
    });
    for (std::int64_t i = 0; i <= tokens; i += length) offsets.push_back(static_cast<std::int32_t>(i));
    segments = {Tensor(offsets.data(), DType::i32, {std::int64_t(offsets.size())}), length};
  }
  double flops(int products) const {
    const double pairs = 0.5 * static_cast<double>(length) * static_cast<double>(length + 1);
    return 2.0 * products * pairs * static_cast<double>(tokens / length * width());
  }
  std::int64_t width() const { return heads.num_heads * heads.head_dim; }
  std::int64_t kv_width() const { return heads.num_kv_heads * heads.head_dim; }
  Tensor q(Tensor x) const { return x.columns(0, width()); }
  Tensor k(Tensor x) const { return x.columns(width(), kv_width()); }
  Tensor v(Tensor x) const { return x.columns(width() + kv_width(), kv_width()); }

  void forward() { attention(context, q(qkv), k(qkv), v(qkv), segments, heads, out, lse); }
  void backward() {
    attention_backward(context, dout, q(qkv), k(qkv), v(qkv), out, lse, segments, heads, q(dqkv),
                       k(dqkv), v(dqkv));
  }
};

void forward(benchmark::State& state) {
  Operands operands(state);
  for (auto _ : state) operands.forward();
  rate(state, operands.flops(2));
}
void backward(benchmark::State& state) {
  Operands operands(state);
  operands.forward();
  for (auto _ : state) operands.backward();
  rate(state, operands.flops(5));
}

void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"T", "head_dim", "group", "bf16"})->UseRealTime();
  for (const std::int64_t bf16 : {0, 1}) {
    for (const std::int64_t head_dim : {64, 128}) {
      for (const std::int64_t length : {512, 1024, 4096}) {
        benchmark->Args({length, head_dim, 1, bf16});
      }
    }
    benchmark->Args({512, 64, 4, bf16});
    benchmark->Args({16, 64, 1, bf16});
    benchmark->Args({1, 64, 1, bf16});
  }
}
BENCHMARK(forward)->Apply(shapes);
BENCHMARK(backward)->Apply(shapes);

}  // namespace
}  // namespace fathom::ops

// The operations at the shapes of a 25M-parameter model (d = 384, MLP width 1408,
// vocabulary 8192, 2048 tokens): GFLOP/s of the matrix products, GB/s of the rest,
// counting each operand's bytes once.
//
//   ops_bench --benchmark_filter=linear
#include <benchmark/benchmark.h>

#include "core/buffer.h"
#include "ops/cross_entropy.h"
#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/matmul.h"
#include "ops/optimizer.h"
#include "ops/rmsnorm.h"
#include "ops/rope.h"
#include "ops/swiglu.h"

namespace fathom::ops {
namespace {

constexpr std::int64_t n = 2048, d = 384, mlp = 1408, vocabulary = 8192;

// Memory for one benchmark's tensors, f32 or bf16 by the benchmark's first
// argument.
struct Bench {
  explicit Bench(const benchmark::State& state)
      : dtype(state.range(0) == 0 ? DType::f32 : DType::bf16) {}

  Tensor take(Shape shape) { return take(dtype, shape); }
  Tensor take(DType type, Shape shape) {
    const Tensor tensor = arena.take(type, shape);
    if (type == DType::f32 || type == DType::bf16) fill(context, tensor, 0.5f);
    bytes += static_cast<std::int64_t>(tensor.bytes());
    return tensor;
  }
  // Ids, positions or targets: 0, 7, 14, ... below `limit`.
  Tensor take_ids(std::int64_t limit) {
    const Tensor tensor = arena.take(DType::i32, {n});
    for (std::int64_t i = 0; i < n; ++i) {
      tensor.as<std::int32_t>()[i] = static_cast<std::int32_t>(7 * i % limit);
    }
    return tensor;
  }

  DType dtype;
  Context context{cpu_device};
  Arena arena{cpu_device, std::size_t{256} << 20};
  std::int64_t bytes = 0;
};

template <class F>
void measure(benchmark::State& state, const Bench& bench, F&& call) {
  for (auto _ : state) call();
  state.SetBytesProcessed(state.iterations() * bench.bytes);
}

// The three roles of a layer of in × out weights.
template <class F>
void measure_layer(benchmark::State& state, F&& call) {
  Bench bench(state);
  const std::int64_t in = state.range(1), out = state.range(2);
  const Tensor x = bench.take({n, in}), w = bench.take({out, in}), y = bench.take({n, out});
  const Tensor dw = bench.take(DType::f32, {out, in});
  for (auto _ : state) call(bench.context, x, w, y, dw);
  state.counters["GFLOP/s"] = benchmark::Counter(2e-9 * double(n) * double(in) * double(out),
                                                 benchmark::Counter::kIsIterationInvariantRate);
}

void linear_forward(benchmark::State& state) {
  measure_layer(state, [](Context& context, Tensor x, Tensor w, Tensor y, Tensor) {
    linear(context, x, w, y);
  });
}
void linear_input_gradient(benchmark::State& state) {
  measure_layer(state, [](Context& context, Tensor x, Tensor w, Tensor y, Tensor) {
    linear_backward_input(context, y, w, x);
  });
}
void linear_weight_gradient(benchmark::State& state) {
  measure_layer(state, [](Context& context, Tensor x, Tensor, Tensor y, Tensor dw) {
    linear_backward_weight(context, y, x, dw);
  });
}

void rmsnorm_forward(benchmark::State& state) {
  Bench b(state);
  const Tensor residual = b.take({n, d}), delta = b.take({n, d}), weight = b.take({d});
  const Tensor h = b.take({n, d}), y = b.take({n, d}), rstd = b.take(DType::f32, {n});
  measure(state, b, [&] { add_rmsnorm(b.context, residual, delta, weight, 1e-6f, h, y, rstd); });
}
void rmsnorm_backward(benchmark::State& state) {
  Bench b(state);
  const Tensor dy = b.take({n, d}), h = b.take({n, d}), weight = b.take({d}), dh = b.take({n, d});
  const Tensor rstd = b.take(DType::f32, {n}), dweight = b.take(DType::f32, {d});
  fill(b.context, dy, 0);  // dh is added to again and again
  measure(state, b, [&] {
    add_rmsnorm_backward(b.context, dy, h, weight, rstd, Incoming::add, dh, dweight);
  });
}

void rope_forward(benchmark::State& state) {
  Bench b(state);
  const Tensor x = b.take({n, 2 * d}), table = b.arena.take(DType::f32, {512, 64});
  fill(b.context, table, 0.7f);
  const Tensor positions = b.take_ids(512);
  measure(state, b, [&] { rope(b.context, x, positions, table, RopeDirection::forward); });
}

void swiglu_forward(benchmark::State& state) {
  Bench b(state);
  const Tensor gate_up = b.take({n, 2 * mlp}), y = b.take({n, mlp});
  measure(state, b, [&] { swiglu(b.context, gate_up, y); });
}
void swiglu_gradient(benchmark::State& state) {
  Bench b(state);
  const Tensor dy = b.take({n, mlp}), gate_up = b.take({n, 2 * mlp});
  const Tensor dgate_up = b.take({n, 2 * mlp});
  measure(state, b, [&] { swiglu_backward(b.context, dy, gate_up, dgate_up); });
}

void embedding_forward(benchmark::State& state) {
  Bench b(state);
  const Tensor table = b.arena.take(b.dtype, {vocabulary, d}), y = b.take({n, d});
  const Tensor ids = b.take_ids(vocabulary);
  measure(state, b, [&] { embedding(b.context, ids, table, 0, y); });
}
void embedding_gradient(benchmark::State& state) {
  Bench b(state);
  const Tensor dtable = b.arena.take(DType::f32, {vocabulary, d}), dy = b.take({n, d});
  const Tensor ids = b.take_ids(vocabulary);
  measure(state, b, [&] { embedding_backward(b.context, ids, dy, 0, dtable); });
}

void loss(benchmark::State& state, LogitsGradient gradient) {
  Bench b(state);
  const Tensor logits = b.take({n, vocabulary}), losses = b.take(DType::f32, {n});
  const Tensor targets = b.take_ids(vocabulary);
  measure(state, b, [&] { cross_entropy(b.context, logits, targets, gradient, {}, losses); });
}
void cross_entropy_forward(benchmark::State& state) {
  loss(state, LogitsGradient::none);
}
void cross_entropy_gradient(benchmark::State& state) {
  loss(state, LogitsGradient::overwrite);
}

void sum_of_squares(benchmark::State& state) {
  Bench b(state);
  const Tensor x = b.take(DType::f32, {1 << 23}), out = b.take(DType::f32, {1});
  measure(state, b, [&] { add_sum_of_squares(b.context, x, out); });
}
void adamw_step(benchmark::State& state) {
  Bench b(state);
  const Shape shape{1 << 22};
  const Tensor grad = b.take(DType::f32, shape), rest = b.take(DType::u16, shape);
  const Tensor m = b.take(DType::f32, shape), v = b.take(DType::f32, shape);
  const Tensor weight = b.take(shape), scalars = b.take(DType::f32, {adamw_scalars});
  const Tensor remainder = weight.dtype == DType::f32 ? Tensor{} : rest;
  fill(b.context, scalars, 1);
  set_adamw_step(b.context, {}, {.lr = 1e-3f}, scalars);
  measure(state, b, [&] { adamw(b.context, grad, scalars, {}, m, v, weight, remainder); });
}

void add_in_place(benchmark::State& state) {
  Bench b(state);
  const Tensor x = b.take({n, 4 * d}), y = b.take({n, 4 * d});
  fill(b.context, y, 0);
  measure(state, b, [&] { add(b.context, x, y, x); });
}
void fill_normal_rows(benchmark::State& state) {
  Bench b(state);
  const Tensor x = b.take({n, d});
  measure(state, b, [&] { fill_normal(b.context, x, {.global_columns = d}); });
}

void layers(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"bf16", "in", "out"})->Unit(benchmark::kMillisecond)->UseRealTime();
  for (const std::int64_t bf16 : {0, 1}) {
    benchmark->Args({bf16, d, 3 * d})->Args({bf16, d, 2 * mlp});
    benchmark->Args({bf16, mlp, d})->Args({bf16, d, vocabulary});
  }
  benchmark->Args({0, 2048, 2048});  // large and square: what a GEMM reaches
}
void types(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("bf16")->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond)->UseRealTime();
}

BENCHMARK(linear_forward)->Apply(layers);
BENCHMARK(linear_input_gradient)->Apply(layers);
BENCHMARK(linear_weight_gradient)->Apply(layers);
BENCHMARK(rmsnorm_forward)->Apply(types);
BENCHMARK(rmsnorm_backward)->Apply(types);
BENCHMARK(rope_forward)->Apply(types);
BENCHMARK(swiglu_forward)->Apply(types);
BENCHMARK(swiglu_gradient)->Apply(types);
BENCHMARK(embedding_forward)->Apply(types);
BENCHMARK(embedding_gradient)->Apply(types);
BENCHMARK(cross_entropy_forward)->Apply(types);
BENCHMARK(cross_entropy_gradient)->Apply(types);
BENCHMARK(sum_of_squares)->Apply(types);
BENCHMARK(adamw_step)->Apply(types);
BENCHMARK(add_in_place)->Apply(types);
BENCHMARK(fill_normal_rows)->Apply(types);

}  // namespace
}  // namespace fathom::ops

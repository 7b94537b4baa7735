// Attention on a GPU: of training (batches and documents, forward and backward) and of
// generation (decoding and prompts over a paged cache).
//
//   cmake --preset cuda -DFATHOM_BENCH=ON && cmake --build --preset cuda
//   build/cuda/bench/gpu_attention_bench          # FATHOM_CUDNN=off: by our own kernels
//
// TFLOP/s count the causal half only: 2 products of pairs · head_dim in the forward, 5 in
// the backward. GB/s count the keys and values that decoding has to read, once.
#include <benchmark/benchmark.h>

#include <chrono>
#include <numeric>
#include <random>

#include "ops/attention.h"
#include "ops/elementwise.h"

namespace fathom::ops {
namespace {

constexpr Device gpu{DeviceType::cuda, 0};
using Integers = std::vector<std::int32_t>;

// The heads of the 7B, and of the 3B with grouped queries.
HeadShape heads_of(std::int64_t grouped) {
  return grouped ? HeadShape{24, 8, 128} : HeadShape{32, 32, 128};
}

struct Memory {
  Context& context;
  Arena arena;

  Memory(Context& context_, std::size_t bytes) : context(context_), arena(gpu, bytes) {}
  Tensor filled(Shape shape) {
    const Tensor x = arena.take(DType::bf16, shape);
    NormalFill fill;
    fill.standard_deviation = 1;
    fill.global_columns = shape[-1];
    fill_normal(context, x.view({x.rows(), x.cols()}), fill);
    return x;
  }
  Tensor integers(const Integers& values, Shape shape) {
    const Tensor x = arena.take(DType::i32, shape);
    copy_bytes(x.data, gpu, values.data(), cpu_device, x.bytes(), context.stream);
    return x;
  }
};

// Seconds a call, over so many that the launches' cost hides.
template <class F>
void measure(benchmark::State& state, Context& context, F call) {
  constexpr int calls = 10;
  call(0);
  synchronize(gpu, context.stream);
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < calls; ++i) call(i);
    synchronize(gpu, context.stream);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    state.SetIterationTime(took.count() / calls);
  }
}

void rate(benchmark::State& state, const char* unit, double amount) {
  state.counters[unit] = benchmark::Counter(amount * static_cast<double>(state.iterations()),
                                            benchmark::Counter::kIsRate);
}

bool missing(benchmark::State& state) {
  if (cuda::device_count() > 0) return false;
  state.SkipWithError("this machine has no CUDA device");
  return true;
}

// 16384 tokens: whole sequences, or documents with a few very long ones among them.
Integers train_offsets(std::int64_t length, bool documents) {
  constexpr std::int64_t tokens = 16384;
  Integers offsets{0};
  std::mt19937 random(1);
  std::lognormal_distribution<double> lengths(5.5, 1.0);  // a mean of 400
  while (offsets.back() < tokens) {
    const std::int64_t end = (offsets.back() / length + 1) * length;  // of the sequence
    const auto document = static_cast<std::int64_t>(lengths(random)) + 1;
    offsets.push_back(
        static_cast<std::int32_t>(documents ? std::min(end, offsets.back() + document) : end));
  }
  return offsets;
}

// T, grouped, documents, reproducible, searched: after the choice among cuDNN's plans that
// a run's warming up makes.
void train(benchmark::State& state, bool backward) {
  if (missing(state)) return;
  const HeadShape heads = heads_of(state.range(1));
  const Integers offsets = train_offsets(state.range(0), state.range(2) != 0);
  const std::int64_t n = offsets.back(), width = heads.num_heads * heads.head_dim;
  const std::int64_t kv = heads.num_kv_heads * heads.head_dim, fused = width + 2 * kv;
  const auto determinism = state.range(3) ? Determinism::reproducible : Determinism::fastest;
  Context context(
      gpu, std::max(Context::default_workspace,
                    attention_workspace(gpu, DType::bf16, heads,
                                        {n, state.range(0), state.range(2) == 0}, determinism)));
  context.determinism = determinism;
  Memory memory(context, static_cast<std::size_t>(n * (2 * fused + 2 * width) * 2 +
                                                  heads.num_heads * n * 4 + (1 << 20)));
  const Tensor qkv = memory.filled({n, fused}), dout = memory.filled({n, width});
  const Tensor dqkv = memory.filled({n, fused}), out = memory.filled({n, width});
  const Tensor lse = memory.arena.take(DType::f32, {heads.num_heads, n});
  const Segments segments =
      describe_segments(memory.integers(offsets, {std::ssize(offsets)}), offsets);
  const auto part = [&](const Tensor& x, int i) {
    return i == 0 ? x.columns(0, width) : x.columns(width + (i - 1) * kv, kv);
  };
  const auto forward = [&](int) {
    attention(context, part(qkv, 0), part(qkv, 1), part(qkv, 2), segments, heads, out, lse);
  };
  double pairs = 0;
  for (std::size_t i = 1; i < offsets.size(); ++i) {
    const double length = offsets[i] - offsets[i - 1];
    pairs += length * (length + 1) / 2;
  }
  const auto call = [&](int i) {
    if (!backward) return forward(i);
    attention_backward(context, dout, part(qkv, 0), part(qkv, 1), part(qkv, 2), out, lse, segments,
                       heads, part(dqkv, 0), part(dqkv, 1), part(dqkv, 2));
  };
  forward(0);
  context.outputs = state.range(4) ? Outputs::discarded : Outputs::kept;
  call(0);
  context.outputs = Outputs::kept;
  measure(state, context, call);
  rate(state, "TFLOP/s", (backward ? 10 : 4) * pairs * static_cast<double>(width) * 1e-12);
}
void train_shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"T", "grouped", "documents", "reproducible", "searched"})->UseManualTime();
  for (const std::int64_t searched : {0, 1}) {  // a choice stays
    for (const std::int64_t grouped : {0, 1}) {
      b->Args({1024, grouped, 0, 0, searched})->Args({4096, grouped, 0, 0, searched});
      b->Args({4096, grouped, 1, 0, searched});
    }
  }
  for (const std::int64_t grouped : {0, 1}) {
    b->Args({4096, grouped, 0, 1, 0})->Args({4096, grouped, 1, 1, 0});
  }
}
BENCHMARK_CAPTURE(train, forward, false)->Apply(train_shapes);
BENCHMARK_CAPTURE(train, backward, true)->Apply(train_shapes);

// Sequences, new tokens of each, context, grouped. Calls go over several caches in turn,
// as a model's layers do, so that none is still in the L2 cache.
void generate(benchmark::State& state) {
  if (missing(state)) return;
  constexpr std::int64_t page = 16;
  const std::int64_t sequences = state.range(0), queries = state.range(1), length = state.range(2);
  const HeadShape heads = heads_of(state.range(3));
  const std::int64_t pages = (length + page - 1) / page, rows = sequences * queries;
  const std::int64_t kv = heads.num_kv_heads * heads.head_dim;
  const std::int64_t width = heads.num_heads * heads.head_dim;
  const std::int64_t cache_bytes = 2 * sequences * pages * page * kv * 2;
  const std::int64_t caches = std::max<std::int64_t>(1, (std::int64_t{512} << 20) / cache_bytes);
  Context context(gpu);
  Memory memory(context, static_cast<std::size_t>(caches * cache_bytes + rows * width * 4 +
                                                  sequences * pages * 4 + (caches + 8) * 4096));
  std::vector<Tensor> k, v;
  for (std::int64_t i = 0; i < caches; ++i) {
    k.push_back(memory.filled({sequences * pages * page, kv}).view({sequences * pages, page, kv}));
    v.push_back(memory.filled({sequences * pages * page, kv}).view({sequences * pages, page, kv}));
  }
  const Tensor q = memory.filled({rows, width}), out = memory.filled({rows, width});
  Integers offsets, lengths(static_cast<std::size_t>(sequences), static_cast<std::int32_t>(length));
  for (std::int64_t s = 0; s <= sequences; ++s) {
    offsets.push_back(static_cast<std::int32_t>(s * queries));
  }
  Integers table(static_cast<std::size_t>(sequences * pages));
  std::iota(table.begin(), table.end(), 0);
  std::shuffle(table.begin(), table.end(), std::mt19937(1));
  PagedContext paged;
  paged.query_offsets = memory.integers(offsets, {sequences + 1});
  paged.context_lengths = memory.integers(lengths, {sequences});
  paged.block_table = memory.integers(table, {sequences, pages});
  paged.max_queries = queries;
  paged.max_context = length;
  measure(state, context, [&](int i) {
    const auto at = static_cast<std::size_t>(i) % k.size();
    paged_attention(context, q, k[at], v[at], paged, heads, out);
  });
  const double pairs = static_cast<double>(rows) *
                       (static_cast<double>(length) - static_cast<double>(queries - 1) / 2);
  rate(state, "GB/s", static_cast<double>(cache_bytes) * 1e-9);
  rate(state, "TFLOP/s", 4 * pairs * static_cast<double>(width) * 1e-12);
}
void generate_shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"sequences", "tokens", "context", "grouped"})->UseManualTime();
  for (const std::int64_t grouped : {0, 1}) {
    b->Args({1, 1, 1024, grouped})->Args({1, 1, 4096, grouped})->Args({1, 1, 16384, grouped});
    b->Args({64, 1, 1024, grouped})->Args({64, 1, 4096, grouped});
    b->Args({1, 2048, 2048, grouped})->Args({1, 2048, 8192, grouped})->Args({4, 512, 512, grouped});
  }
}
BENCHMARK(generate)->Apply(generate_shapes);

}  // namespace
}  // namespace fathom::ops

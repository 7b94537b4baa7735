// Operations of a training step on a GPU that move memory rather than compute, each on
// buffers that are not in the L2 cache, against a copy measured in the same run.
//
//   cmake --preset cuda -DFATHOM_BENCH=ON && cmake --build --preset cuda
//   build/cuda/bench/gpu_ops_bench
//
// TB/s count what the operation has to read and write, once each; `of_copy` is the share of
// the copy's rate. The shapes are the 7B's, the 1B's, the 350M's, and those of runs of a few
// million parameters (8192 tokens, 192 columns).
#include <benchmark/benchmark.h>

#include <chrono>
#include <vector>

#include "ops/cross_entropy.h"
#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/optimizer.h"
#include "ops/rmsnorm.h"
#include "ops/rope.h"

namespace fathom::ops {
namespace {

constexpr Device gpu{DeviceType::cuda, 0};
constexpr std::size_t cache_bytes = std::size_t{256} << 20;  // more than any L2 cache

struct Memory {
  Context context{gpu};
  Arena arena;

  explicit Memory(std::size_t bytes) : arena(gpu, bytes) {}
  Tensor empty(DType dtype, Shape shape) { return arena.take(dtype, shape); }
  Tensor filled(DType dtype, Shape shape) {
    const Tensor x = empty(dtype, shape);
    NormalFill fill;
    fill.standard_deviation = 1;
    fill.global_columns = shape[-1];
    fill_normal(context, x.view({x.rows(), x.cols()}), fill);
    return x;
  }
  Tensor integers(const std::vector<std::int32_t>& values) {
    const Tensor x = empty(DType::i32, {std::ssize(values)});
    copy_bytes(x.data, gpu, values.data(), cpu_device, x.bytes(), context.stream);
    return x;
  }
};

// How many sets of operands of so many bytes calls have to rotate over.
std::size_t sets_for(std::size_t bytes) {
  return std::max<std::size_t>(2, cache_bytes / bytes + 1);
}

// Seconds a call: call(i) of 20 in a row.
template <class F>
double seconds(Context& context, F call) {
  constexpr std::size_t calls = 20;
  for (std::size_t i = 0; i < 3; ++i) call(i);
  synchronize(gpu, context.stream);
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < calls; ++i) call(i);
  synchronize(gpu, context.stream);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  return took.count() / calls;
}

double copy_rate() {
  static const double rate = [] {
    constexpr std::size_t bytes = std::size_t{1} << 30;
    Context context(gpu);
    const Buffer from(gpu, bytes), to(gpu, bytes);
    return 2.0 * static_cast<double>(bytes) / seconds(context, [&](std::size_t) {
             copy_bytes(to.data(), gpu, from.data(), gpu, bytes, context.stream);
           });
  }();
  return rate;
}

bool missing(benchmark::State& state) {
  if (cuda::device_count() > 0) return false;
  state.SkipWithError("this machine has no CUDA device");
  return true;
}

template <class F>
void measure(benchmark::State& state, Context& context, double bytes, F call) {
  double last = 0;
  for (auto _ : state) {
    last = seconds(context, call);
    state.SetIterationTime(last);
  }
  state.counters["TB/s"] = bytes / last * 1e-12;
  state.counters["of_copy"] = bytes / last / copy_rate();
}

double of(std::size_t bytes) {
  return static_cast<double>(bytes);
}

void copy(benchmark::State& state) {
  if (missing(state)) return;
  for (auto _ : state) state.SetIterationTime(2.0 * (1 << 30) / copy_rate());
  state.counters["TB/s"] = copy_rate() * 1e-12;
}
BENCHMARK(copy)->UseManualTime()->Iterations(1);

void rmsnorm_backward(benchmark::State& state) {
  if (missing(state)) return;
  const std::int64_t rows = state.range(0), cols = state.range(1);
  const std::size_t bytes = static_cast<std::size_t>(rows * cols) * 2;
  const std::size_t sets = sets_for(4 * bytes);
  Memory memory((3 * bytes + (1 << 20)) * sets + (std::size_t{64} << 20));
  std::vector<Tensor> dy, h, dh;
  for (std::size_t i = 0; i < sets; ++i) {
    for (auto* list : {&dy, &h, &dh}) list->push_back(memory.filled(DType::bf16, {rows, cols}));
  }
  const Tensor weight = memory.filled(DType::bf16, {cols});
  const Tensor rstd = memory.filled(DType::f32, {rows}), dw = memory.filled(DType::f32, {cols});
  measure(state, memory.context, of(4 * bytes), [&](std::size_t i) {
    i %= sets;
    add_rmsnorm_backward(memory.context, dy[i], h[i], weight, rstd, Incoming::add, dh[i], dw);
  });
}
BENCHMARK(rmsnorm_backward)
    ->ArgNames({"rows", "cols"})
    ->Args({8192, 4096})
    ->Args({16384, 2048})
    ->Args({16384, 1024})
    ->Args({8192, 3072})
    ->Args({4096, 8192})
    ->Args({8192, 192})
    ->UseManualTime()
    ->Iterations(3);

void rmsnorm(benchmark::State& state) {
  if (missing(state)) return;
  const std::int64_t rows = state.range(0), cols = state.range(1);
  const std::size_t bytes = static_cast<std::size_t>(rows * cols) * 2, sets = sets_for(4 * bytes);
  Memory memory((4 * bytes + (1 << 20)) * sets + (1 << 24));
  std::vector<Tensor> residual, delta, y;
  for (std::size_t i = 0; i < sets; ++i) {
    for (auto* list : {&residual, &delta, &y}) {
      list->push_back(memory.filled(DType::bf16, {rows, cols}));
    }
  }
  const Tensor weight = memory.filled(DType::bf16, {cols}), rstd = memory.empty(DType::f32, {rows});
  measure(state, memory.context, of(4 * bytes), [&](std::size_t i) {
    i %= sets;
    add_rmsnorm(memory.context, residual[i], delta[i], weight, 1e-6f, residual[i], y[i], rstd);
  });
}
BENCHMARK(rmsnorm)
    ->ArgNames({"rows", "cols"})
    ->Args({8192, 4096})
    ->Args({16384, 2048})
    ->Args({16384, 1024})
    ->Args({8192, 192})
    ->UseManualTime()
    ->Iterations(3);

void cross_entropy_in_place(benchmark::State& state) {
  if (missing(state)) return;
  const std::int64_t rows = state.range(0), cols = state.range(1);
  const std::size_t bytes = static_cast<std::size_t>(rows * cols) * 2;
  Memory memory(bytes + (1 << 24));
  const Tensor logits = memory.filled(DType::bf16, {rows, cols});
  std::vector<std::int32_t> ids(static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<std::int32_t>(i * 7919 % static_cast<std::size_t>(cols));
  }
  const Tensor targets = memory.integers(ids), losses = memory.empty(DType::f32, {rows});
  measure(state, memory.context, of(2 * bytes), [&](std::size_t) {
    cross_entropy(memory.context, logits, targets, LogitsGradient::overwrite, {1e-4f, {}}, losses);
  });
}
BENCHMARK(cross_entropy_in_place)
    ->ArgNames({"rows", "vocabulary"})
    ->Args({8192, 102400})
    ->Args({8192, 32768})
    ->Args({8192, 49152})
    ->Args({2048, 102400})
    ->Args({8192, 4160})
    ->Args({8192, 260})
    ->UseManualTime()
    ->Iterations(3);

// The queries and keys of a fused product, a third of its columns left alone.
void rope_fused(benchmark::State& state) {
  if (missing(state)) return;
  const std::int64_t rows = state.range(0), cols = state.range(1), head_dim = state.range(2);
  constexpr std::int64_t length = 4096;
  const std::size_t bytes = static_cast<std::size_t>(rows * cols) * 2, sets = sets_for(2 * bytes);
  Memory memory((bytes * 2 + (1 << 20)) * sets + (std::size_t{16} << 20));
  std::vector<Tensor> x;
  for (std::size_t i = 0; i < sets; ++i) {
    x.push_back(memory.filled(DType::bf16, {rows, cols * 3 / 2}).columns(0, cols));
  }
  const Tensor table = memory.filled(DType::f32, {length, head_dim});
  std::vector<std::int32_t> at(static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < at.size(); ++i) at[i] = static_cast<std::int32_t>(i % length);
  const Tensor positions = memory.integers(at);
  measure(state, memory.context, of(2 * bytes), [&](std::size_t i) {
    rope(memory.context, x[i % sets], positions, table, RopeDirection::forward);
  });
}
BENCHMARK(rope_fused)
    ->ArgNames({"rows", "cols", "head_dim"})
    ->Args({8192, 8192, 128})
    ->Args({16384, 4096, 128})
    ->Args({16384, 2048, 128})
    ->Args({8192, 384, 64})
    ->UseManualTime()
    ->Iterations(3);

// A token's id is one of half the vocabulary, some a thousand times as frequent as others.
void embedding_gradient(benchmark::State& state) {
  if (missing(state)) return;
  const std::int64_t rows = state.range(0), cols = state.range(1), vocabulary = state.range(2);
  const std::size_t bytes = static_cast<std::size_t>(rows * cols) * 2;
  Memory memory(bytes + static_cast<std::size_t>(vocabulary * cols) * 4 + (1 << 24));
  const Tensor dy = memory.filled(DType::bf16, {rows, cols});
  const Tensor dtable = memory.filled(DType::f32, {vocabulary, cols});
  std::vector<std::int32_t> ids(static_cast<std::size_t>(rows));
  std::uint32_t random = 1;
  for (std::int32_t& id : ids) {
    random = random * 1664525 + 1013904223;
    const double u = random / 4294967296.0;
    id = static_cast<std::int32_t>(static_cast<double>(vocabulary / 2) * u * u * u);
  }
  const Tensor tokens = memory.integers(ids);
  measure(state, memory.context, of(5 * bytes),
          [&](std::size_t) { embedding_backward(memory.context, tokens, dy, 0, dtable); });
}
BENCHMARK(embedding_gradient)
    ->ArgNames({"rows", "cols", "vocabulary"})
    ->Args({8192, 4096, 102400})
    ->Args({16384, 2048, 102400})
    ->Args({32768, 4096, 102400})
    ->Args({8192, 192, 4160})
    ->Args({8192, 192, 260})
    ->UseManualTime()
    ->Iterations(3);

void sum_of_squares(benchmark::State& state) {
  if (missing(state)) return;
  const std::int64_t n = state.range(0);
  Memory memory(static_cast<std::size_t>(n) * 4 + (1 << 20));
  const Tensor x = memory.filled(DType::f32, {n}), out = memory.filled(DType::f32, {1});
  measure(state, memory.context, of(x.bytes()),
          [&](std::size_t) { add_sum_of_squares(memory.context, x, out); });
}
BENCHMARK(sum_of_squares)->Arg(1 << 28)->Arg(1 << 30)->UseManualTime()->Iterations(3);

// The slices of four layers of 192 and a vocabulary of 4160, in one call or in one each.
void adamw_of_slices(benchmark::State& state) {
  if (missing(state)) return;
  const bool together = state.range(0) != 0;
  Memory memory(std::size_t{256} << 20);
  std::vector<AdamWSlice> slices;
  const auto add = [&](std::int64_t n) {
    const auto floats = [&] { return memory.filled(DType::f32, {n}); };
    slices.push_back({floats(), floats(), memory.empty(DType::f32, {n}),
                      memory.filled(DType::bf16, {n}), memory.empty(DType::u16, {n}), 0.1f});
    fill(memory.context, slices.back().v, 1);
  };
  for (int layer = 0; layer < 4; ++layer) {
    for (const std::int64_t n : {192, 3 * 192 * 192, 192 * 192, 192, 2 * 192 * 512, 192 * 512}) {
      add(n);
    }
  }
  for (const std::int64_t n : {4160 * 192, 192, 4160 * 192}) add(n);
  const Tensor scalars = memory.filled(DType::f32, {adamw_scalars});
  fill(memory.context, scalars, 1);
  set_adamw_step(memory.context, {}, {.lr = 1e-5f}, scalars);
  const Tensor table = memory.empty(DType::u8, {adamw_table_bytes(slices)});
  write_adamw_table(memory.context, slices, table);
  double bytes = 0;
  for (const AdamWSlice& s : slices) bytes += 28.0 * static_cast<double>(s.grad.elements());
  measure(state, memory.context, bytes, [&](std::size_t) {
    if (together) return adamw(memory.context, slices, table, scalars, {});
    for (const AdamWSlice& s : slices) {
      adamw(memory.context, s.grad, scalars, {}, s.m, s.v, s.weight, s.remainder);
    }
  });
}
BENCHMARK(adamw_of_slices)->ArgName("together")->Arg(0)->Arg(1)->UseManualTime()->Iterations(3);

}  // namespace
}  // namespace fathom::ops

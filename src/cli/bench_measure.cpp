#include "cli/bench_measure.h"

#include <algorithm>
#include <chrono>

#include "ops/attention.h"
#include "ops/cross_entropy.h"
#include "ops/elementwise.h"
#include "ops/matmul.h"
#include "ops/optimizer.h"
#include "ops/rmsnorm.h"
#include "ops/rope.h"
#include "ops/swiglu.h"
#include "train/peak.h"

namespace fathom::cli {
namespace {

double seconds_of(Context& context, const std::function<void()>& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  synchronize(context.device, context.stream);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Tensor filled(Context& context, Arena& arena, DType dtype, Shape shape) {
  const Tensor x = arena.take(dtype, shape);
  ops::NormalFill fill;
  fill.standard_deviation = 0.1f;
  fill.global_columns = shape[-1];
  ops::fill_normal(context, x.view({x.rows(), x.cols()}), fill);
  return x;
}

Tensor integers(Context& context, Arena& arena, const std::vector<std::int32_t>& values) {
  const Tensor x = arena.take(DType::i32, {static_cast<std::int64_t>(values.size())});
  copy_bytes(x.data, context.device, values.data(), cpu_device, x.bytes(), context.stream);
  return x;
}

// The operations of a step, one method a family.
class Operations {
 public:
  Operations(Context& context, const StepShape& shape)
      : context_(context), shape_(shape), arena_(context.device, std::size_t{1} << 30) {}

  std::vector<OperationRow> measure() {
    const ModelConfig& c = shape_.model;
    const std::int64_t d = c.hidden_size, f = c.intermediate_size;
    products("qkv", d, c.query_width() + 2 * c.kv_width(), c.num_layers);
    products("attention output", c.query_width(), d, c.num_layers);
    products("gate and up", d, 2 * f, c.num_layers);
    products("down", f, d, c.num_layers);
    products("head", d, c.vocab_size, 1);
    attention();
    rmsnorm();
    swiglu();
    cross_entropy();
    optimizer();
    return std::move(rows_);
  }

 private:
  void row(std::string name, std::int64_t count, double flops, double bytes,
           const std::function<void()>& call) {
    rows_.push_back({std::move(name), count, best_seconds(context_, 0.15, call), flops, bytes});
  }
  double width() const { return static_cast<double>(size_of(shape_.dtype)); }

  void products(const std::string& name, std::int64_t in, std::int64_t out, std::int64_t count) {
    const ArenaScope scope(arena_);
    const std::int64_t n = shape_.tokens();
    const Tensor x = filled(context_, arena_, shape_.dtype, {n, in});
    const Tensor w = filled(context_, arena_, shape_.dtype, {out, in});
    const Tensor y = filled(context_, arena_, shape_.dtype, {n, out});
    const Tensor dw = filled(context_, arena_, DType::f32, {out, in});
    const double flops = 2.0 * static_cast<double>(n * in) * static_cast<double>(out);
    row(name, count, flops, 0, [&] { ops::linear(context_, x, w, y); });
    row(name + ", dx", count, flops, 0, [&] { ops::linear_backward_input(context_, y, w, x); });
    row(name + ", dw", count, flops, 0, [&] { ops::linear_backward_weight(context_, y, x, dw); });
  }

  void attention() {
    const ArenaScope scope(arena_);
    const ModelConfig& c = shape_.model;
    const std::int64_t n = shape_.tokens(), length = shape_.sequence_length;
    std::vector<std::int32_t> offsets;
    for (std::int64_t i = 0; i <= shape_.sequences; ++i) {
      offsets.push_back(static_cast<std::int32_t>(i * length));
    }
    const ops::Segments segments{integers(context_, arena_, offsets), length};
    const ops::HeadShape heads{c.num_heads, c.num_kv_heads, c.head_dim};
    const auto take = [&](std::int64_t w) {
      return filled(context_, arena_, shape_.dtype, {n, w});
    };
    const Tensor q = take(c.query_width()), k = take(c.kv_width()), v = take(c.kv_width());
    const Tensor out = take(c.query_width()), dout = take(c.query_width());
    const Tensor dq = take(c.query_width()), dk = take(c.kv_width()), dv = take(c.kv_width());
    const Tensor lse = arena_.take(DType::f32, {c.num_heads, n});
    // Two products over half of the T x T matrix; backward has five.
    const double flops =
        2.0 * static_cast<double>(n * length) * static_cast<double>(c.query_width());
    row("attention", c.num_layers, flops, 0,
        [&] { ops::attention(context_, q, k, v, segments, heads, out, lse); });
    row("attention backward", c.num_layers, 2.5 * flops, 0, [&] {
      ops::attention_backward(context_, dout, q, k, v, out, lse, segments, heads, dq, dk, dv);
    });
  }

  void rmsnorm() {
    const ArenaScope scope(arena_);
    const std::int64_t n = shape_.tokens(), d = shape_.model.hidden_size;
    const auto take = [&] { return filled(context_, arena_, shape_.dtype, {n, d}); };
    const Tensor residual = take(), delta = take(), h = take(), y = take();
    const Tensor weight = filled(context_, arena_, shape_.dtype, {d});
    const Tensor rstd = arena_.take(DType::f32, {n}),
                 dweight = filled(context_, arena_, DType::f32, {d});
    const std::int64_t count = 2 * shape_.model.num_layers + 1;
    const double pass = static_cast<double>(n * d) * width();
    row("RMSNorm", count, 0, 4 * pass,
        [&] { ops::add_rmsnorm(context_, residual, delta, weight, 1e-6f, h, y, rstd); });
    row("RMSNorm backward", count, 0, 4 * pass, [&] {
      ops::add_rmsnorm_backward(context_, y, h, weight, rstd, ops::Incoming::add, delta, dweight);
    });
  }

  void swiglu() {
    const ArenaScope scope(arena_);
    const std::int64_t n = shape_.tokens(), f = shape_.model.intermediate_size;
    const Tensor gate_up = filled(context_, arena_, shape_.dtype, {n, 2 * f});
    const Tensor gradient = arena_.take(shape_.dtype, {n, 2 * f});
    const Tensor y = filled(context_, arena_, shape_.dtype, {n, f});
    const double pass = static_cast<double>(n * f) * width();
    row("SwiGLU", shape_.model.num_layers, 0, 3 * pass, [&] { ops::swiglu(context_, gate_up, y); });
    row("SwiGLU backward", shape_.model.num_layers, 0, 5 * pass,
        [&] { ops::swiglu_backward(context_, y, gate_up, gradient); });
  }

  void cross_entropy() {
    const ArenaScope scope(arena_);
    const std::int64_t n = std::min<std::int64_t>(1024, shape_.tokens());
    const Tensor logits = filled(context_, arena_, shape_.dtype, {n, shape_.model.vocab_size});
    const Tensor targets =
        integers(context_, arena_, std::vector<std::int32_t>(static_cast<std::size_t>(n), 1));
    const Tensor losses = arena_.take(DType::f32, {n});
    row("cross-entropy", shape_.tokens() / n, 0, 2 * static_cast<double>(logits.bytes()), [&] {
      ops::cross_entropy(context_, logits, targets, ops::LogitsGradient::overwrite, 0.01f, losses);
    });
  }

  void optimizer() {
    const ArenaScope scope(arena_);
    const std::int64_t n = std::min<std::int64_t>(count_parameters(shape_.model), 8 << 20);
    const auto take = [&](DType dtype) { return filled(context_, arena_, dtype, {n}); };
    const Tensor gradient = take(DType::f32), m = take(DType::f32), weight = take(shape_.dtype);
    const Tensor v = arena_.take(DType::f32, {n}), scale = arena_.take(DType::f32, {1});
    ops::fill(context_, v, 1.0f);
    ops::fill(context_, scale, 1.0f);
    const Tensor remainder = shape_.dtype == DType::f32 ? Tensor{} : arena_.take(DType::u16, {n});
    const double bytes = 28.0 * static_cast<double>(n);
    const std::int64_t count = (count_parameters(shape_.model) + n - 1) / n;
    row("AdamW", count, 0, bytes,
        [&] { ops::adamw(context_, gradient, scale, {1e-4f}, m, v, weight, remainder); });
  }

  Context& context_;
  const StepShape& shape_;
  Arena arena_;
  std::vector<OperationRow> rows_;
};

}  // namespace

double best_seconds(Context& context, double budget, const std::function<void()>& call) {
  double total = seconds_of(context, call), best = total;
  total = 0;
  while (total < budget) {
    const double took = seconds_of(context, call);
    best = std::min(best, took);
    total += took;
  }
  return best;
}

Ceilings measure_ceilings(Context& context) {
  Ceilings ceilings;
  Arena arena(context.device, std::size_t{192} << 20);
  ceilings.gemm_f32 = measure_gemm_peak(context, DType::f32, 0.5);
  ceilings.gemm_bf16 = measure_gemm_peak(context, DType::bf16, 0.5);
  const Tensor from = arena.take(DType::f32, {1 << 10, 20 << 10});
  const Tensor to = arena.take(DType::f32, from.shape);
  const double took = best_seconds(context, 0.4, [&] { ops::convert(context, from, to); });
  ceilings.copy = 2 * static_cast<double>(from.bytes()) / took;
  return ceilings;
}

std::vector<OperationRow> measure_operations(Context& context, const StepShape& shape) {
  return Operations(context, shape).measure();
}

}  // namespace fathom::cli

#include "ops/optimizer.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "ops/adamw_table.h"
#include "ops/check.h"
#include "ops/dispatch.h"
#include "ops/master_weight.h"

namespace fathom::ops {

void add_sum_of_squares(Context& context, Tensor x, Tensor out) {
  const Argument arg_x{"x", x}, arg_out{"out", out};
  const Check check("add_sum_of_squares", {arg_x, arg_out});
  check.on(context).is(arg_x, DType::f32).contiguous(arg_x);
  check.shaped(arg_out, {1}).is(arg_out, DType::f32);
  on_device(context, cpu::add_sum_of_squares, cuda::add_sum_of_squares, x, out);
}

void clip_scale(Context& context, Tensor sum_of_squares, float max_norm, Tensor norm,
                Tensor scale) {
  const Argument arg_sum{"sum_of_squares", sum_of_squares}, arg_norm{"norm", norm},
      arg_scale{"scale", scale};
  const Check check("clip_scale", {arg_sum, arg_norm, arg_scale});
  check.on(context);
  for (const Argument& argument : {arg_sum, arg_norm, arg_scale}) {
    check.shaped(argument, {1}).is(argument, DType::f32);
  }
  on_device(context, cpu::clip_scale, cuda::clip_scale, sum_of_squares, max_norm, norm, scale);
}

void set_adamw_step(Context& context, const AdamWConstants& constants, const AdamWStep& step,
                    Tensor scalars) {
  const Argument arg_scalars{"scalars", scalars};
  const Check check("set_adamw_step", {arg_scalars});
  check.on(context).shaped(arg_scalars, {adamw_scalars}).is(arg_scalars, DType::f32);
  check.that(step.step >= 1, "steps count from 1");
  const auto t = static_cast<double>(step.step);
  const double correction1 = 1 - std::pow(double{constants.beta1}, t),
               correction2 = 1 - std::pow(double{constants.beta2}, t);
  const AdamWScalars values{.scale = 0,  // stays as it is
                            .lr = step.lr,
                            .step_size = static_cast<float>(step.lr / correction1),
                            .m_scale = static_cast<float>(1 / correction1),
                            .v_scale = static_cast<float>(1 / correction2)};
  on_device(context, cpu::set_adamw_step, cuda::set_adamw_step, values, scalars);
}

namespace {

void check_slice(const Context& context, const AdamWSlice& slice, Tensor scalars) {
  const Tensor& grad = slice.grad;
  const Argument arg_grad{"grad", grad}, arg_scalars{"scalars", scalars}, arg_m{"m", slice.m},
      arg_v{"v", slice.v}, arg_weight{"weight", slice.weight},
      arg_remainder{"remainder", slice.remainder};
  const Check check("adamw", {arg_grad, arg_scalars, arg_m, arg_v, arg_weight, arg_remainder});
  check.on(context).rank(arg_grad, 1);
  check.shaped(arg_scalars, {adamw_scalars}).is(arg_scalars, DType::f32);
  for (const Argument& argument : {arg_grad, arg_m, arg_v}) {
    check.shaped(argument, grad.shape).is(argument, DType::f32);
  }
  check.shaped(arg_weight, grad.shape).floating(arg_weight);
  const bool is_f32 = slice.weight.dtype == DType::f32;
  check.that(is_f32 || slice.remainder, "bf16 weights need their remainder");
  check.that(!is_f32 || !slice.remainder, "f32 weights have no remainder");
  if (slice.remainder) check.shaped(arg_remainder, grad.shape).is(arg_remainder, DType::u16);
}

void check_table(const Context& context, std::span<const AdamWSlice> slices, Tensor table) {
  const Argument arg_table{"table", table};
  const Check check("adamw", {arg_table});
  check.on(context).shaped(arg_table, {adamw_table_bytes(slices)}).is(arg_table, DType::u8);
}

// Element `first` of a tensor; null where the tensor is absent.
void* element(const Tensor& tensor, std::int64_t first) {
  return tensor ? static_cast<std::byte*>(tensor.data) +
                      static_cast<std::size_t>(first) * size_of(tensor.dtype)
                : nullptr;
}

std::vector<AdamWPiece> pieces_of(std::span<const AdamWSlice> slices) {
  std::vector<AdamWPiece> pieces;
  for (const AdamWSlice& slice : slices) {
    const std::int64_t n = slice.grad.elements();
    for (std::int64_t first = 0; first < n; first += adamw_piece_elements) {
      const auto floats = [first](const Tensor& x) {
        return static_cast<float*>(element(x, first));
      };
      pieces.push_back({floats(slice.grad), floats(slice.m), floats(slice.v),
                        element(slice.weight, first),
                        static_cast<std::uint16_t*>(element(slice.remainder, first)),
                        static_cast<std::int32_t>(std::min(adamw_piece_elements, n - first)),
                        slice.weight_decay});
    }
  }
  return pieces;
}

}  // namespace

void adamw(Context& context, Tensor grad, Tensor scalars, const AdamWConstants& constants, Tensor m,
           Tensor v, Tensor weight, Tensor remainder) {
  check_slice(context, {grad, m, v, weight, remainder}, scalars);
  on_device(context, cpu::adamw, cuda::adamw, grad, scalars, constants, m, v, weight, remainder);
}

std::int64_t adamw_table_bytes(std::span<const AdamWSlice> slices) {
  std::int64_t pieces = 0;
  for (const AdamWSlice& slice : slices) {
    pieces += (slice.grad.elements() + adamw_piece_elements - 1) / adamw_piece_elements;
  }
  return pieces * std::int64_t{sizeof(AdamWPiece)};
}

void write_adamw_table(Context& context, std::span<const AdamWSlice> slices, Tensor table) {
  check_table(context, slices, table);
  if (context.device.type == DeviceType::meta) return;
  const std::vector<AdamWPiece> pieces = pieces_of(slices);
  copy_bytes(table.data, table.device, pieces.data(), cpu_device, table.bytes(), context.stream);
  synchronize(context.device, context.stream);  // `pieces` ends here
}

void adamw(Context& context, std::span<const AdamWSlice> slices, Tensor table, Tensor scalars,
           const AdamWConstants& constants) {
  check_table(context, slices, table);
  for (const AdamWSlice& slice : slices) check_slice(context, slice, scalars);
  on_device(context, cpu::adamw_slices, cuda::adamw_slices, slices, table, scalars, constants);
}

namespace {

void check_master(const char* operation, Tensor master, Tensor weight, Tensor remainder) {
  const Argument arg_master{"master", master}, arg_weight{"weight", weight},
      arg_remainder{"remainder", remainder};
  const Check check(operation, {arg_master, arg_weight, arg_remainder});
  check.is(arg_master, DType::f32).contiguous(arg_master);
  check.shaped(arg_weight, master.shape).is(arg_weight, DType::bf16).contiguous(arg_weight);
  check.shaped(arg_remainder, master.shape).is(arg_remainder, DType::u16).contiguous(arg_remainder);
  for (const Tensor& tensor : {master, weight, remainder}) {
    check.that(tensor.device == cpu_device, "only on the CPU");
  }
}

constexpr std::int64_t grain = 1 << 16;

}  // namespace

void split_master_weights(Tensor master, Tensor weight, Tensor remainder) {
  check_master("split_master_weights", master, weight, remainder);
  const auto* from = static_cast<const std::uint32_t*>(master.data);
  auto* const high = static_cast<std::uint16_t*>(weight.data);
  auto* const low = static_cast<std::uint16_t*>(remainder.data);
  parallel_for(master.elements(), grain, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const MasterWeight parts = split_master(from[i]);
      high[i] = parts.weight;
      low[i] = parts.remainder;
    }
  });
}

void join_master_weights(Tensor weight, Tensor remainder, Tensor master) {
  check_master("join_master_weights", master, weight, remainder);
  const auto* high = static_cast<const std::uint16_t*>(weight.data);
  const auto* low = static_cast<const std::uint16_t*>(remainder.data);
  auto* const to = static_cast<std::uint32_t*>(master.data);
  parallel_for(master.elements(), grain, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) to[i] = join_master({high[i], low[i]});
  });
}

}  // namespace fathom::ops

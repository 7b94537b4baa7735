// The optimizer's passes over memory: global gradient norm and AdamW.
#pragma once

#include <cstdint>
#include <span>

#include "core/context.h"

namespace fathom::ops {

// out [1] f32 += Σ x², summed in a fixed order. x: any shape, f32.
void add_sum_of_squares(Context& context, Tensor x, Tensor out);

// scale [1] = min(1, max_norm / (norm + 1e-6)) and norm [1] = sqrt(sum_of_squares),
// on the device, so that clipping needs no read-back. max_norm <= 0: no clipping.
// A norm that is not finite gives the scale NaN, so that adamw leaves all as it is.
void clip_scale(Context& context, Tensor sum_of_squares, float max_norm, Tensor norm, Tensor scale);

// One step of AdamW (Loshchilov and Hutter, 2019) on a slice of parameters:
//   g = grad · scale;  m = β1 m + (1 − β1) g;  v = β2 v + (1 − β2) g²
//   master −= lr · (m / (1 − β1ᵗ) / (sqrt(v / (1 − β2ᵗ)) + ε) + weight_decay · master)
// A scale that is not finite skips the update of everything.
struct AdamWConstants {
  float beta1 = 0.9f, beta2 = 0.95f, epsilon = 1e-8f, weight_decay = 0;
};
struct AdamWStep {
  float lr = 0;
  std::int64_t step = 1;  // t, from 1
};
// What of a step is the same for all its parameters but not the next step's. It lies in the
// device's memory as a tensor [adamw_scalars] f32 in this order, so that the updates of a step may
// be recorded once and launched in every step (core/recorded_work.h).
struct AdamWScalars {
  float scale;      // clip_scale() writes it
  float lr;         // set_adamw_step() writes this and what follows
  float step_size;  // lr / (1 − β1ᵗ)
  float m_scale;    // 1 / (1 − β1ᵗ)
  float v_scale;    // 1 / (1 − β2ᵗ)
};
inline constexpr std::int64_t adamw_scalars = sizeof(AdamWScalars) / sizeof(float);

// Writes all of `scalars` but the scale, in the order of the stream.
void set_adamw_step(Context& context, const AdamWConstants& constants, const AdamWStep& step,
                    Tensor scalars);
// grad, m, v: [n] f32. weight: [n], f32 and then the master itself, or bf16 with the
// rest of the master in `remainder` [n] u16 (ops/master_weight.h; absent for f32).
void adamw(Context& context, Tensor grad, Tensor scalars, const AdamWConstants& constants, Tensor m,
           Tensor v, Tensor weight, Tensor remainder);

// A slice of parameters as adamw() above takes it.
struct AdamWSlice {
  Tensor grad, m, v, weight, remainder;
  float weight_decay = 0;
};

// The table of some slices on the device: [bytes] u8, aligned to 16, and what is written there
// before the first adamw() of them. It holds the slices' addresses, so that a recorded launch
// needs no other. Waits for the device: not while work is recorded.
std::int64_t adamw_table_bytes(std::span<const AdamWSlice> slices);
void write_adamw_table(Context& context, std::span<const AdamWSlice> slices, Tensor table);

// adamw() of each of the slices: on a GPU in one launch, on a CPU one after another.
// Of `constants` the weight decay is not used: each slice has its own.
void adamw(Context& context, std::span<const AdamWSlice> slices, Tensor table, Tensor scalars,
           const AdamWConstants& constants);

// master [n] f32 to weight [n] bf16 and remainder [n] u16, and back: all its bits but
// for ties (ops/master_weight.h). Any shape, contiguous; CPU tensors.
void split_master_weights(Tensor master, Tensor weight, Tensor remainder);
void join_master_weights(Tensor weight, Tensor remainder, Tensor master);

}  // namespace fathom::ops

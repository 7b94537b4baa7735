// f32 master weights on their way from files into a run's memory.
#pragma once

#include "core/context.h"
#include "core/tensor.h"

namespace fathom {

// Copies a contiguous host tensor to a tensor of the same type and shape, and waits for it.
void copy_to_device(Context& context, const Tensor& from, const Tensor& to);

// Gives a slice the values of `masters` (f32, contiguous, on the host): `weight` f32 with
// `remainder` absent, or bf16 with its remainder (u16).
void set_master_weights(Context& context, const Tensor& masters, const Tensor& weight,
                        const Tensor& remainder);

}  // namespace fathom

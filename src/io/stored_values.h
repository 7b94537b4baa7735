// Converts values from the types of files to the types that we compute with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/tensor.h"
#include "io/safetensors.h"

namespace fathom {

// Whether convert_stored reads this type: f32, bf16 and f16.
bool is_convertible(StoredType type);

// Converts stored values to f32 or bf16, rounded to nearest, ties to even. `to` has room for
// all values of `from`, which need not be aligned.
void convert_stored(std::span<const std::byte> from, StoredType from_type, void* to, DType to_type);

// The exact value of an IEEE half-precision number.
float float_of_half(std::uint16_t half);
// The nearest half-precision number, ties to even; beyond the largest: infinite. NaN stays NaN.
std::uint16_t half_of_float(float value);

}  // namespace fathom

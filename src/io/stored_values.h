// Values between the types that files hold and those that we compute with.
#pragma once

#include <cstddef>
#include <span>

#include "core/tensor.h"
#include "io/safetensors.h"

namespace fathom {

// Whether convert_stored reads this type: f32, bf16 and f16.
bool is_convertible(StoredType type);

// Converts `count` stored values to f32 or bf16 (rounded to nearest, ties to
// even). `from` need not be aligned.
void convert_stored(std::span<const std::byte> from, StoredType from_type, void* to, DType to_type);

// IEEE half precision, exactly.
float float_of_half(std::uint16_t half);

}  // namespace fathom

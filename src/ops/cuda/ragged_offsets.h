#pragma once

#include "core/tensor.h"

namespace fathom::ops::cuda {

// The lengths and offsets of packed segments in the form that cuDNN reads.
struct RaggedOffsets {
  static constexpr int kinds = 5;

  std::int64_t row_strides[kinds];  // elements of a row in each kind of operand
  std::int64_t* starts[kinds];      // [sequences + 1] each, filled: first elements; or null
  std::int32_t* lengths;            // [sequences], filled
  int sequences;                    // at least as many as segments; the rest are empty
};

// offsets: [segments + 1] i32 on the device.
void fill_ragged_offsets(void* stream, Tensor offsets, const RaggedOffsets& ragged);

}  // namespace fathom::ops::cuda

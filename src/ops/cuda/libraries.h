// The handles of NVIDIA's libraries, and the plans made with them. A context has them to itself
// while it lives, takes them from a pool of its device at first use, and gives them back in its
// end: as many exist as contexts that computed at the same time, however many threads come and go.
#pragma once

#include <memory>

#include "core/context.h"

namespace fathom::ops::cuda {

struct GemmState;       // gemm.cpp's
struct AttentionState;  // cudnn_attention.cpp's

struct Libraries {
  std::shared_ptr<GemmState> gemm;  // null until used
  std::shared_ptr<AttentionState> attention;
};

// The context's, whose device is a GPU.
Libraries& libraries_of(Context& context);

// How many exist for the GPU, in use or not.
int count_libraries(int device);

}  // namespace fathom::ops::cuda

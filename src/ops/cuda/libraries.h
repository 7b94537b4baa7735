// The handles of NVIDIA's libraries, and the plans of products made with them. A context takes them
// from its device's pool at first use, has them to itself while it lives, and its destructor gives
// them back: as many exist as contexts that computed at the same time, however many threads come
// and go. Attention's plans are not among them: all contexts of a device share those
// (cudnn_attention.cpp).
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

// The handles of a context whose device is a GPU.
Libraries& libraries_of(Context& context);

// How many Libraries exist for this GPU, in use or in the pool.
int count_libraries(int device);

}  // namespace fathom::ops::cuda

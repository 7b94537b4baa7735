// The declarations of kernels.inc for .cu files: dispatch.h without fmt, which
// nvcc cannot compile.
#pragma once

#include "ops/attention.h"
#include "ops/cross_entropy.h"
#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/fp8.h"
#include "ops/matmul.h"
#include "ops/optimizer.h"
#include "ops/rmsnorm.h"
#include "ops/rope.h"
#include "ops/sampling.h"
#include "ops/swiglu.h"

namespace fathom::ops::cuda {
#include "ops/kernels.inc"
}

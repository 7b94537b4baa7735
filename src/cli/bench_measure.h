// Timing of operations against this machine's ceilings, for `bench cpu`.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/context.h"
#include "model/config.h"

namespace fathom::cli {

// Seconds of one call: the least over repetitions for about `budget` seconds,
// after one call that warms up.
double best_seconds(Context& context, double budget, const std::function<void()>& call);

struct Ceilings {
  double gemm_f32 = 0, gemm_bf16 = 0;  // FLOP/s
  double copy = 0;                     // bytes/s, read and written
  double gemm(DType dtype) const { return dtype == DType::bf16 ? gemm_bf16 : gemm_f32; }
};
Ceilings measure_ceilings(Context& context);

// One operation on the step's shapes.
struct OperationRow {
  std::string name;
  std::int64_t count = 0;  // calls a step
  double seconds = 0;      // of one call, alone
  double flops = 0;        // of one call; 0: bound by memory
  double bytes = 0;        // of one call, read and written
  double total() const { return seconds * static_cast<double>(count); }
};

struct StepShape {
  ModelConfig model;
  DType dtype = DType::f32;
  std::int64_t sequences = 8, sequence_length = 512;
  std::int64_t tokens() const { return sequences * sequence_length; }
};

// Every operation of one training step (one micro-batch, nothing recomputed).
std::vector<OperationRow> measure_operations(Context& context, const StepShape& shape);

// Seconds of whole steps: forward, backward, norm, clipping, AdamW.
std::vector<double> measure_steps(Device device, const StepShape& shape, int steps);

}  // namespace fathom::cli

// One layout of a run on a cluster: the plan that the trainer would make of it, the bytes that its
// fullest rank takes, and the time of its step.
#pragma once

#include <cstdint>
#include <string>

#include "scaling/cluster.h"
#include "scaling/step_simulator.h"
#include "train/memory_table.h"
#include "train/plan.h"

namespace fathom::scaling {

// The run that is planned; the layouts share it.
struct PlannedRun {
  ModelConfig model;  // resolved
  std::int64_t tokens = 0;
  std::int64_t sequence_length = 4096;
  std::int64_t global_batch = 0;  // sequences
};

// What layouts differ in.
struct LayoutOptions {
  ParallelConfig parallel;
  std::int64_t micro_batch = 1;  // sequences
  Recompute recompute = Recompute::none;
};

// "pp2xdp4xtp2+sp+pieces2+v2", as `fathom verify --layouts` takes it.
std::string layout_name(const ParallelConfig& parallel);

// As the trainer resolves it. Throws its input Error for a layout that is impossible.
TrainPlan plan_layout(const PlannedRun& run, const LayoutOptions& options, int gpus);

// What the trainer would plan for a rank (train/machine.h), whose groups' tensors travel by `way`.
MemoryTable memory_of_rank(const TrainPlan& plan, int rank, ExchangeWay way);

// The rows of the rank that takes the most of its device, of those of a stage each.
struct RankMemory {
  int stage = 0;
  MemoryTable table;
};
RankMemory fullest_rank(const TrainPlan& plan, const Cluster& cluster);

// Figures of a run at a step's time.
struct RunFigures {
  double tokens_per_second = 0;  // of all GPUs
  double mfu = 0;                // by FLOPs with causal attention, head included
  double model_tflops = 0;       // a GPU, by the report's M (scaling/flops.h)
  double days = 0, gpu_hours = 0;
};
RunFigures figures_of(const TrainPlan& plan, double step_seconds, const Cluster& cluster);

}  // namespace fathom::scaling

#include "train/machine.h"

#include "core/enum_names.h"
#include "core/log.h"
#include "core/progress.h"
#include "learn/device_batch.h"
#include "train/benchmarks.h"
#include "train/memory_check.h"
#include "train/rank_options.h"
#include "train/repetition_meter.h"

namespace fathom {

MemoryTable plan_memory(const TrainPlan& plan, const RankGroups& ranks) {
  const Learner::Bytes bytes = Learner::bytes(learner_options(plan, ranks));
  MemoryTable table(plan.device);
  table.add("weights", bytes.weights);
  table.add("weights in FP8", bytes.fp8_weights);
  table.add("gradients (f32)", bytes.gradients);
  table.add("rest of the f32 masters", bytes.remainders);
  table.add("moments (f32)", bytes.moments);
  table.add("activations", bytes.activations);
  table.add("workspace", bytes.workspace);
  table.add("rotary table", bytes.rope_table);
  table.add("losses", bytes.losses);
  const infer::Engine::Bytes meter = RepetitionMeter::bytes(plan);
  table.add("repetition meter", meter.device);
  table.add_host("repetition meter's logits", meter.host);
  const infer::Engine::Bytes benchmarks = benchmark_bytes(plan);
  table.add("benchmarks", benchmarks.device);
  table.add_host("benchmarks' logits", benchmarks.host);
  const std::size_t batches = DeviceBatch::bytes(plan.device, plan.micro_tokens) *
                              static_cast<std::size_t>(plan.micro_batches);
  table.add("batches", batches);
  if (plan.device.type == DeviceType::cuda) table.add_host("batches, page-locked", batches);
  if (plan.device.type == DeviceType::cuda) table.add("libraries", device_reserve);
  table.add("exchanges between ranks", bytes.exchanges);
  if (plan.config.checkpoint.enabled) table.add_host("checkpoint snapshot", bytes.checkpoint);
  // What oneDNN generates and caches for the model's shapes, as measured on small and
  // middling models in f32 and bf16.
  constexpr std::size_t kernels = std::size_t{8} << 20;
  table.add_process("program and libraries", ProcessMemory::now().resident + kernels);
  return table;
}

Machine examine_machine(Runtime& runtime, const TrainPlan& plan, const RankGroups& ranks) {
  Machine machine;
  const bool first = ranks.first();
  // Before the libraries take their part of it, for which the table has a row.
  const FreeMemory free{free_memory(plan.device), available_host_memory()};
  if (first) {
    const double peak = runtime.gemm_peak(plan.device, plan.dtype);
    machine.gemm_peak = peak * plan.parallel.layout.world();
  }
  ranks.world().barrier();
  const MemoryTable table = plan_memory(plan, ranks);
  machine.memory_table = table.text();
  if (first) {
    log::info("{} micro-batches of {} sequences a step and rank, recompute {}", plan.micro_batches,
              plan.config.train.micro_batch, enum_name(plan.stage_options().recompute));
    constexpr double notable = 1.05;  // one pass ends with a whole step
    if (plan.epochs() >= notable) {
      log::info("the run reads its {} training tokens {:.1f} times",
                human_count(static_cast<double>(plan.epoch_tokens)), plan.epochs());
    }
    log::info("{}{}", ranks.alone() ? "" : "of the first rank: ", machine.memory_table);
  }
  require_memory(plan, ranks, table, free);
  if (first) {
    log::info("GEMM peak of this machine in {}: {:.1f} GFLOP/s", name_of(plan.dtype),
              machine.gemm_peak / 1e9);
  }
  return machine;
}

}  // namespace fathom

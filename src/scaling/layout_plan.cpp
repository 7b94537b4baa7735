#include "scaling/layout_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "comm/planned_group.h"
#include "scaling/flops.h"
#include "train/machine.h"

namespace fathom::scaling {

std::string layout_name(const ParallelConfig& p) {
  std::string name;
  const auto axis = [&](const char* letters, std::int64_t size) {
    if (size > 1) name += fmt::format("{}{}{}", name.empty() ? "" : "x", letters, size);
  };
  axis("pp", p.pp);
  axis("dp", p.dp);
  axis("tp", p.tp);
  if (name.empty()) name = "1";
  if (p.tp > 1 && p.sequence_parallel) name += "+sp";
  if (p.sequence_pieces > 1) name += fmt::format("+pieces{}", p.sequence_pieces);
  if (p.virtual_stages > 1) name += fmt::format("+v{}", p.virtual_stages);
  if (p.schedule == PipelineSchedule::gpipe) name += "+gpipe";
  if (p.dp > 1 && !p.zero) name += "+nozero";
  if (!p.overlap) name += "+nooverlap";
  if (!p.peer_memory) name += "+nopeer";
  return name;
}

// Resolved for a CPU, for there need be no GPU here.
TrainPlan plan_layout(const PlannedRun& run, const LayoutOptions& options, int gpus) {
  TrainConfig config;
  config.dtype = DTypeChoice::bf16;
  config.model = run.model;
  config.train.sequence_length = run.sequence_length;
  config.train.global_batch = run.global_batch;
  config.train.micro_batch = options.micro_batch;
  config.train.recompute = choice_of(options.recompute);
  config.train.logits_chunk = choose_logits_chunk(DeviceType::cuda);
  config.train.tokens = run.tokens;
  config.parallel = options.parallel;
  DataFacts data;
  data.vocab_size = run.model.vocab_size;
  data.train_tokens = run.tokens;
  TrainPlan plan = resolve(std::move(config), data, gpus);
  plan.device = {DeviceType::cuda, 0};
  return plan;
}

MemoryTable memory_of_rank(const TrainPlan& plan, int rank, ExchangeWay way) {
  PlannedGroup world({rank, plan.parallel.layout.world(), 1}, way);
  const RankGroups groups(world, plan.parallel, plan.config.model);
  return plan_memory(plan, groups);
}

namespace {

MemoryTable memory_of_stage(const TrainPlan& plan, int stage, const Cluster& cluster) {
  return memory_of_rank(plan, plan.parallel.layout.rank_of({stage, 0, 0}),
                        cluster.way(plan.config.parallel.peer_memory));
}

std::int64_t layers_of(const TrainPlan& plan, int stage) {
  std::int64_t layers = 0;
  for (int chunk = 0; chunk < plan.parallel.virtual_stages; ++chunk) {
    const StageRange range = plan.parallel.part(stage, chunk);
    layers += range.last_layer - range.first_layer;
  }
  return layers;
}

}  // namespace

// The first stage has the embedding, the last one the head. Of those between, an earlier one with
// as many blocks keeps more micro-batches.
RankMemory fullest_rank(const TrainPlan& plan, const Cluster& cluster) {
  const int last = plan.parallel.layout.pp - 1;
  RankMemory fullest{0, memory_of_stage(plan, 0, cluster)};
  std::int64_t most_layers = 0;
  for (int stage = 1; stage <= last; ++stage) {
    if (layers_of(plan, stage) <= most_layers && stage != last) continue;
    most_layers = std::max(most_layers, layers_of(plan, stage));
    MemoryTable table = memory_of_stage(plan, stage, cluster);
    if (table.device_total() <= fullest.table.device_total()) continue;
    fullest = {stage, std::move(table)};
  }
  return fullest;
}

RunFigures figures_of(const TrainPlan& plan, double step_seconds, const Cluster& cluster) {
  RunFigures figures;
  const auto gpus = static_cast<double>(plan.parallel.layout.world());
  figures.tokens_per_second = static_cast<double>(plan.tokens_per_step) / step_seconds;
  const double rate = figures.tokens_per_second / gpus / 1e12;  // of a GPU, for TFLOP/s
  figures.mfu = rate * plan.flops_per_token / cluster.card().peak_tflops;
  figures.model_tflops = rate * model_flops(plan.config.model, plan.config.train.sequence_length);
  const double seconds = static_cast<double>(plan.max_tokens) / figures.tokens_per_second;
  figures.days = seconds / 86400;
  figures.gpu_hours = seconds / 3600 * gpus;
  return figures;
}

}  // namespace fathom::scaling

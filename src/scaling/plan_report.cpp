#include "scaling/plan_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/enum_names.h"
#include "core/progress.h"

namespace fathom::scaling {
namespace {

using Json = nlohmann::ordered_json;

std::string head_text(const PlanReport& r) {
  const Cluster& c = r.cluster;
  return fmt::format(
      "{} parameters, {} tokens on {} {} in {} node{}; {} sequences of {} a step\n\n",
      human_count(static_cast<double>(count_parameters(r.run.model))),
      human_count(static_cast<double>(r.run.tokens)), c.gpus(), c.card().name, c.nodes(),
      c.nodes() == 1 ? "" : "s", r.run.global_batch, r.run.sequence_length);
}

std::string row_text(const FoundLayout& f, std::size_t name_width, const Cluster& cluster) {
  const RunFigures figures = figures_of(f.plan, f.time.seconds, cluster);
  return fmt::format(
      "{:<{}} {:>5} {:>9} {:>8.3f} {:>9} {:>6.1f} {:>6.1f} {:>6.1f} {:>7.1f} {:>7.1f} {:>8.1f} "
      "{:>10.0f}\n",
      layout_name(f.plan.config.parallel), name_width, f.plan.config.train.micro_batch,
      enum_name(f.plan.stage_options().recompute), f.time.seconds,
      human_count(figures.tokens_per_second), 100 * figures.mfu, figures.model_tflops,
      100 * f.time.bubble, 100 * f.time.exposed,
      static_cast<double>(f.memory.table.device_total()) / (1 << 30), figures.days,
      figures.gpu_hours);
}

std::string table_text(const PlanReport& r) {
  std::size_t width = 6;
  for (const FoundLayout& f : r.layouts) {
    width = std::max(width, layout_name(f.plan.config.parallel).size());
  }
  std::string text =
      fmt::format("{:<{}} {:>5} {:>9} {:>8} {:>9} {:>6} {:>6} {:>6} {:>7} {:>7} {:>8} {:>10}\n",
                  "layout", width, "micro", "recompute", "step s", "tokens/s", "MFU %", "by M",
                  "bubble", "exposed", "GiB", "days", "GPU-hours");
  for (const FoundLayout& f : r.layouts) text += row_text(f, width, r.cluster);
  return text +
         "\nmicro: sequences of a micro-batch; by M: TFLOP/s a GPU by the report's M; bubble and\n"
         "exposed exchanges in % of the time; GiB: of the fullest rank.\n";
}

std::string memory_text(const FoundLayout& f, const Cluster& cluster) {
  return fmt::format("\n{}: a rank of stage {}, of {:.1f} GiB that a {} has\n{}",
                     layout_name(f.plan.config.parallel), f.memory.stage, cluster.card().memory_gib,
                     cluster.card().name, f.memory.table.text());
}

std::string failures_text(const FailureCost& cost) {
  return fmt::format(
      "\nwith failures: {:.1f} days (95 %: {:.1f} to {:.1f}), {:.0f} failures, {:.1f} % of the "
      "time lost\n",
      cost.days, cost.days_interval.low, cost.days_interval.high, cost.failures,
      100 * cost.lost_share);
}

Json layout_json(const FoundLayout& f, const Cluster& cluster) {
  const RunFigures figures = figures_of(f.plan, f.time.seconds, cluster);
  const TrainConfig& config = f.plan.config;
  const ParallelConfig& parallel = config.parallel;
  Json json{{"layout", layout_name(parallel)},
            {"pp", parallel.pp},
            {"dp", parallel.dp},
            {"tp", parallel.tp},
            {"sequence_parallel", f.plan.parallel.sequence_parallel},
            {"sequence_pieces", f.plan.parallel.sequence_pieces},
            {"schedule", enum_name(f.plan.parallel.schedule)},
            {"virtual_stages", f.plan.parallel.virtual_stages},
            {"micro_batch", config.train.micro_batch},
            {"micro_batches", f.plan.micro_batches},
            {"recompute", enum_name(f.plan.stage_options().recompute)},
            {"step_seconds", f.time.seconds},
            {"tokens_per_second", figures.tokens_per_second},
            {"mfu", figures.mfu},
            {"model_tflops_per_gpu", figures.model_tflops},
            {"bubble", f.time.bubble},
            {"exposed", f.time.exposed},
            {"waiting", f.time.waiting},
            {"update", f.time.update},
            {"days", figures.days},
            {"gpu_hours", figures.gpu_hours},
            {"stage_of_fullest_rank", f.memory.stage},
            {"bytes", f.memory.table.device_total()}};
  for (const MemoryRow& row : f.memory.table.device_rows()) json["memory"][row.what] = row.bytes;
  for (const StageRange& stage : f.plan.parallel.stages) {
    json["stage_layers"].push_back(stage.last_layer - stage.first_layer);
  }
  return json;
}

}  // namespace

std::string plan_text(const PlanReport& r) {
  std::string text = head_text(r) + table_text(r);
  if (!r.layouts.empty()) text += memory_text(r.layouts.front(), r.cluster);
  if (r.failures) text += failures_text(*r.failures);
  return text;
}

Json plan_json(const PlanReport& r) {
  Json json{{"gpu", r.cluster.card().name},
            {"gpus", r.cluster.gpus()},
            {"gpus_per_node", r.cluster.gpus_per_node()},
            {"parameters", count_parameters(r.run.model)},
            {"tokens", r.run.tokens},
            {"sequence_length", r.run.sequence_length},
            {"global_batch", r.run.global_batch},
            {"layouts", Json::array()}};
  for (const FoundLayout& f : r.layouts) json["layouts"].push_back(layout_json(f, r.cluster));
  if (r.failures) {
    json["with_failures"] = {{"days", r.failures->days},
                             {"days_low", r.failures->days_interval.low},
                             {"days_high", r.failures->days_interval.high},
                             {"failures", r.failures->failures},
                             {"lost_share", r.failures->lost_share}};
  }
  return json;
}

}  // namespace fathom::scaling

// fathom plan: how to lay a run out over the GPUs of a cluster, before there is one: layouts with
// their memory and speed, a picture of the fastest one's step, and what failures cost.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "core/enum_names.h"
#include "core/error.h"
#include "core/log.h"
#include "core/progress.h"
#include "io/atomic_file.h"
#include "io/output_path.h"
#include "scaling/flops.h"
#include "scaling/hyperparameters.h"
#include "scaling/model_file.h"
#include "scaling/plan_report.h"
#include "scaling/timeline.h"
#include "verify/layout_choice.h"

namespace fathom::cli {
namespace {

using namespace scaling;

struct PlanFlags {
  std::string model, gpu, layouts, recompute = "auto", timeline, trace;
  std::int64_t gpus = 0, gpus_per_node = 8, sequence_length = 0, batch = 0, micro_batch = 0;
  double tokens = 0;
  std::int64_t best = 10;
  std::optional<double> gpu_hours_between;
  double restart_seconds = 600, checkpoint_seconds = 300, write_gbs = 1.25;
  bool json = false;
};

std::optional<Recompute> recompute_of(const PlanFlags& flags) {
  return policy_of(enum_of<RecomputeChoice>(flags.recompute).value());
}

PlannedRun run_of(const PlanFlags& flags) {
  constexpr std::int64_t usual_length = 4096;
  PlannedRun run;
  run.model = load_whole_model(flags.model);
  run.tokens = std::llround(flags.tokens);
  run.sequence_length = flags.sequence_length > 0 ? flags.sequence_length
                                                  : std::min(usual_length, run.model.max_position);
  run.global_batch = flags.batch;
  if (run.global_batch == 0) {
    const double compute = model_flops(run.model, run.sequence_length) * flags.tokens;
    run.global_batch =
        round_batch(hyperparameters(deepseek_laws(), compute).batch_sequences(run.sequence_length));
    log::info("{} sequences a step, by the law of the batch (arXiv 2401.02954)", run.global_batch);
  }
  return run;
}

// The layouts that --layouts names, in its order.
std::vector<FoundLayout> named_layouts(const PlanFlags& flags, const PlannedRun& run,
                                       const Cluster& cluster) {
  const OperationTime time(cluster.card());
  TrainConfig base;
  base.train.recompute = choice_of(recompute_of(flags).value_or(Recompute::none));
  std::vector<FoundLayout> found;
  for (const LayoutChoice& choice : parse_layouts(flags.layouts, base)) {
    const LayoutOptions options{choice.config.parallel,
                                std::max<std::int64_t>(1, flags.micro_batch),
                                policy_of(choice.config.train.recompute).value()};
    found.push_back(look_at(plan_layout(run, options, cluster.gpus()), cluster, time));
    if (!fits(found.back().memory, cluster)) {
      log::warning("{}: a rank of stage {} takes {} and does not fit", choice.name,
                   found.back().memory.stage,
                   human_bytes(static_cast<double>(found.back().memory.table.device_total())));
    }
  }
  return found;
}

[[noreturn]] void fail_without_layout(const SearchResult& result, const PlannedRun& run,
                                      const Cluster& cluster) {
  if (result.possible == 0) {
    fail_input(
        "no layout divides {} GPUs, the model's {} heads and {} blocks, and a batch of {} "
        "sequences: use another --gpus or --batch",
        cluster.gpus(), run.model.num_heads, run.model.num_layers, run.global_batch);
  }
  fail_input(
      "none of {} layouts fits into {} of memory; the smallest takes {} on its fullest rank: use "
      "more GPUs, or GPUs with more memory",
      result.possible,
      human_bytes(cluster.card().memory_gib * static_cast<double>(std::int64_t{1} << 30)),
      human_bytes(static_cast<double>(result.least_bytes)));
}

std::vector<FoundLayout> best_layouts(const PlanFlags& flags, const PlannedRun& run,
                                      const Cluster& cluster) {
  SearchRequest request;
  request.run = run;
  request.micro_batch = flags.micro_batch;
  request.recompute = recompute_of(flags);
  request.wanted = static_cast<std::size_t>(flags.best);
  std::unique_ptr<Progress> progress;
  SearchResult result = search_layouts(request, cluster, [&](std::size_t, std::size_t candidates) {
    if (!progress) progress = std::make_unique<Progress>("layouts", candidates);
    progress->advance(1);
  });
  progress.reset();
  log::info("{} layouts; the others are slower: {} do not fit, {} were simulated", result.possible,
            result.too_large, result.simulated);
  if (result.best.empty()) fail_without_layout(result, run, cluster);
  return std::move(result.best);
}

void write_pictures(const PlanFlags& flags, const FoundLayout& found, const Cluster& cluster) {
  const StageSteps steps(found.plan, cluster, OperationTime(cluster.card()));
  if (!flags.timeline.empty()) {
    const StepTime time = simulate_step(found.plan, steps, cluster, Picture::actions);
    const std::string title =
        fmt::format("{} on {} {}: one step, the stages of a replica",
                    layout_name(found.plan.config.parallel), cluster.gpus(), cluster.card().name);
    write_file_atomically(flags.timeline, timeline_svg(time, title));
  }
  if (!flags.trace.empty()) {
    write_file_atomically(flags.trace, timeline_trace(simulate_step(found.plan, steps, cluster,
                                                                    Picture::everything)));
  }
}

// A checkpoint holds weights, the rest of their masters and two moments, 12 bytes a parameter.
FailureCost failure_cost(const PlanFlags& flags, const FoundLayout& found, const Cluster& cluster) {
  FailureModel model;
  model.gpu_hours_between = *flags.gpu_hours_between;
  model.restart_seconds = flags.restart_seconds;
  model.interval_seconds = flags.checkpoint_seconds;
  model.write_seconds = 12.0 * static_cast<double>(count_parameters(found.plan.config.model)) /
                        cluster.nodes() / (flags.write_gbs * 1e9);
  const double seconds = figures_of(found.plan, found.time.seconds, cluster).days * 86400;
  return simulate_failures(model, seconds, cluster.gpus());
}

void run_plan(const PlanFlags& flags) {
  for (const std::string& path : {flags.timeline, flags.trace}) {
    if (!path.empty()) require_writable_file(path);
  }
  const Cluster cluster(load_card(flags.gpu), flags.gpus, flags.gpus_per_node);
  const PlannedRun run = run_of(flags);
  const std::vector<FoundLayout> layouts = flags.layouts.empty()
                                               ? best_layouts(flags, run, cluster)
                                               : named_layouts(flags, run, cluster);
  PlanReport report{run, cluster, layouts, {}};
  if (flags.gpu_hours_between) report.failures = failure_cost(flags, layouts.front(), cluster);
  write_pictures(flags, layouts.front(), cluster);
  std::cout << (flags.json ? plan_json(report).dump(2) + "\n" : plan_text(report));
}

void add_size_options(CLI::App* command, PlanFlags& flags) {
  command
      ->add_option("model", flags.model,
                   "TOML file with a [model] table, Hugging Face directory, run or checkpoint")
      ->type_name("PATH")
      ->required();
  command->add_option("--gpus", flags.gpus, "GPUs of the run")->required();
  command->add_option("--gpu", flags.gpu, "h100, h200, h800, a100, or a profile's file")
      ->type_name("NAME|FILE")
      ->required();
  command->add_option("--tokens", flags.tokens, "Tokens of the run, such as 2e12")
      ->required()
      ->check(CLI::Range(1.0, 1e17));
  command->add_option("--gpus-per-node", flags.gpus_per_node, "GPUs that NVLink connects")
      ->capture_default_str();
  command
      ->add_option("--sequence-length", flags.sequence_length,
                   "Tokens of a sequence; default: 4096, or the longest that the model takes")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30));
  command
      ->add_option("--batch", flags.batch,
                   "Sequences of a step; default: by the report's law of the batch")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30));
}

void add_layout_options(CLI::App* command, PlanFlags& flags) {
  command->add_option("--layouts", flags.layouts,
                      "Only these, as for `fathom verify`: \"pp2xdp2 tp4+sp+pieces2\"");
  command
      ->add_option("--micro-batch", flags.micro_batch,
                   "Sequences of a micro-batch; default: 1, 2, 4 and 8 are tried, and 1 of "
                   "layouts that are named")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
  command
      ->add_option("--recompute", flags.recompute,
                   "What backward computes again: none, selective, full; auto: each is tried")
      ->check(CLI::IsMember({"auto", "none", "selective", "full"}))
      ->capture_default_str();
  command->add_option("--best", flags.best, "How many layouts to print")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
}

void add_output_options(CLI::App* command, PlanFlags& flags) {
  command->add_flag("--json", flags.json, "Print a JSON object");
  command
      ->add_option("--timeline", flags.timeline, "Write a picture of the first layout's step (SVG)")
      ->type_name("FILE");
  command
      ->add_option("--trace", flags.trace,
                   "Write it as a trace for https://ui.perfetto.dev, with all exchanges")
      ->type_name("FILE");
  command->add_option("--simulate-failures", flags.gpu_hours_between,
                      "Add the cost of failures, one in so many GPU-hours, to the first layout");
  command->add_option("--restart-seconds", flags.restart_seconds, "From a failure to the next step")
      ->capture_default_str();
  command->add_option("--checkpoint-seconds", flags.checkpoint_seconds, "Between checkpoints")
      ->capture_default_str();
  command
      ->add_option("--write-gbs", flags.write_gbs,
                   "GB/s at which a node writes its part of a checkpoint, beside the training")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

}  // namespace

void add_plan(CLI::App& app) {
  auto flags = std::make_shared<PlanFlags>();
  CLI::App* command = app.add_subcommand(
      "plan", "Find the fastest layouts of a run on GPUs that need not be here, with their memory");
  add_size_options(command, *flags);
  add_layout_options(command, *flags);
  add_output_options(command, *flags);
  command->footer(
      "Example: fathom plan configs/models/deepseek-llm-67b.toml --gpu h800 --gpus 1024 "
      "--tokens 2e12");
  command->callback([flags] { run_plan(*flags); });
}

}  // namespace fathom::cli

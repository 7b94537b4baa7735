// fathom scaling plan and fathom scaling run: many small runs, from whose losses laws are fitted.
#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/run_command.h"
#include "cli/text_flag.h"
#include "core/error.h"
#include "core/log.h"
#include "data/prepared.h"
#include "scaling/laws_file.h"
#include "scaling/sweep_plan.h"
#include "scaling/sweep_report.h"
#include "scaling/sweep_run.h"
#include "scaling/sweep_time.h"

namespace fathom::cli {
namespace {

using namespace scaling;

struct SweepFlags {
  std::string config, out;
  std::vector<std::string> overrides;
  std::optional<double> tflops;
  int jobs = 0;
  bool json = false;
};

// "sweeps/small.toml": the sweep is in sweeps/small.
std::string directory_beside(const std::string& config) {
  return std::filesystem::path(config).replace_extension().string();
}

SweepTime estimate(const SweepFlags& flags, const SweepPlan& plan, const SweepConfig& sweep,
                   const std::shared_ptr<const PreparedData>& data) {
  if (flags.tflops) return time_by_rate(plan, *flags.tflops * 1e12, std::max(1, flags.jobs));
  Runtime runtime;
  return time_by_bench(plan, sweep, flags.out, data, runtime, flags.jobs);
}

void plan_sweep(SweepFlags flags) {
  const SweepConfig sweep = load_sweep_config(flags.config, flags.overrides);
  if (flags.out.empty()) flags.out = directory_beside(flags.config);
  const auto data = std::make_shared<const PreparedData>(open_prepared(sweep.run.data));
  require_held_out(*data);
  const DataFacts facts = facts_of(*data, sweep.run.data);
  const SweepPlan plan = make_sweep_plan(sweep, load_laws(sweep.laws), facts);
  write_sweep(flags.out, plan, sweep, facts);
  const SweepTime time = estimate(flags, plan, sweep, data);
  std::cout << (flags.json ? to_json(plan, time).dump(2) + "\n" : to_text(plan, time));
  log::info("start it with `fathom scaling run {}`", flags.out);
}

// "2/8".
void read_part(const std::string& text, SweepOptions& options) {
  const char* const end = text.data() + text.size();
  const auto part = std::from_chars(text.data(), end, options.part);
  const bool slash = part.ec == std::errc() && part.ptr != end && *part.ptr == '/';
  const auto parts = slash ? std::from_chars(part.ptr + 1, end, options.parts) : part;
  if (slash && parts.ec == std::errc() && parts.ptr == end && options.part >= 1 &&
      options.part <= options.parts) {
    return;
  }
  fail_input("--part is '{}': use I/N with I from 1 to N, for example 2/8", text);
}

}  // namespace

void add_scaling_plan(CLI::App& scaling) {
  const auto flags = std::make_shared<SweepFlags>();
  CLI::App* command =
      scaling.add_subcommand("plan", "Plan a sweep of small runs: configs, FLOPs and time");
  command->add_option("config", flags->config, "TOML config of the sweep")->type_name("FILE");
  command
      ->add_option("--out", flags->out,
                   "Directory of the sweep; default: the config's path without .toml")
      ->type_name("DIR");
  command->add_option("--set", flags->overrides, "Override a key: --set isoflop.allocations=5")
      ->type_name("KEY=VALUE")
      ->take_all();
  command
      ->add_option("--tflops", flags->tflops,
                   "TFLOP/s of each run for the estimate of time; default: measured")
      ->check(CLI::PositiveNumber);
  command->add_option("--jobs", flags->jobs, "Runs at a time for the estimate; 0: chosen")
      ->check(CLI::Range(0, 4096));
  command->add_flag("--json", flags->json, "Print a JSON object");
  add_text_flag(
      *command, "--help-config", "Configuration", [] { return config_help<SweepConfig>(); },
      "List every key of the config with its default");
  command->footer("Example: fathom scaling plan configs/scaling/laptop.toml --out runs/laptop");
  command->callback([flags] {
    if (flags->config.empty()) throw CLI::RequiredError("config");
    plan_sweep(*flags);
  });
}

void add_scaling_run(CLI::App& scaling) {
  struct Flags {
    std::string directory, part;
    SweepOptions options;
  };
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = scaling.add_subcommand("run", "Train what is missing of a planned sweep");
  command->add_option("directory", flags->directory, "Directory of `fathom scaling plan`")
      ->type_name("DIR")
      ->required();
  command->add_option("--jobs", flags->options.jobs, "Runs side by side; 0: chosen")
      ->check(CLI::Range(0, 4096));
  command->add_option("--part", flags->part,
                      "I/N: train the I-th of N parts; other processes train the others");
  command->footer(
      "Example: fathom scaling run runs/laptop --jobs 4\n"
      "As a Slurm array of 8: fathom scaling run runs/gpu --part $SLURM_ARRAY_TASK_ID/8");
  command->callback([flags] {
    if (!flags->part.empty()) read_part(flags->part, flags->options);
    Runtime runtime;
    const SweepEnd end = run_sweep(runtime, flags->directory, flags->options);
    end_by(end.signal);
    if (end.failed > 0) {
      fail_runtime("{} runs failed, see {}/logs; the same command tries them again", end.failed,
                   flags->directory);
    }
  });
}

}  // namespace fathom::cli

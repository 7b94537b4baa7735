// fathom verify: trains the user's model a few steps on each of several layouts, prints a
// table that compares them, and exits with code 1 when they differ.
#include "verify/verify.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/commands.h"
#include "core/enum_names.h"

namespace fathom::cli {
namespace {

struct VerifyFlags {
  std::string config, layouts, transfers = "all", directory;
  std::vector<std::string> overrides;
  VerifyOptions options;
};

void print(const LayoutVerdict& v) {
  const std::string what = v.from.empty() ? v.layout : v.from + " -> " + v.layout;
  const char* bits = v.same_bits ? "yes" : v.must_be_bits ? "NO" : "-";
  fmt::print("{:<58} {:>9.1e} {:>9.1e} {:>8} {:>5}  {}\n", what, v.loss, v.weight,
             v.same_samples ? "same" : "OTHER", bits, v.passed ? "ok" : "FAILED");
  std::fflush(stdout);
}

void run_verify(VerifyFlags flags) {
  const TrainConfig config = load_train_config(flags.config, flags.overrides);
  flags.options.transfers = enum_of<Transfers>(flags.transfers).value();
  flags.options.directory = flags.directory.empty() ? config.output + ".verify" : flags.directory;
  int count = 0, agreeing = 0;
  const auto tell = [&](const LayoutVerdict& verdict) {
    if (count++ == 0) {
      fmt::print("{:<58} {:>9} {:>9} {:>8} {:>5}\n", "layout, or checkpoint -> layout", "loss",
                 "weights", "samples", "bits");
    }
    print(verdict);
    agreeing += verdict.passed;
  };
  const bool passed = verify_layouts(parse_layouts(flags.layouts, config), flags.options, tell);
  if (count > 0) {
    fmt::print("{} of {} layouts and transfers: {}\n", agreeing, count,
               passed ? "all agree with one rank" : "not all agree with one rank");
  }
  if (!passed) throw CLI::RuntimeError(1);
}

}  // namespace

void add_verify(CLI::App& app) {
  auto flags = std::make_shared<VerifyFlags>();
  CLI::App* command =
      app.add_subcommand("verify", "Check that a model trains the same on several layouts");
  command->add_option("config", flags->config, "TOML config of a run")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--layouts", flags->layouts,
                   "Layouts: \"tp2 pp2xdp2+sp pp2+v2\", or all8 for everything with 8 ranks")
      ->required();
  command
      ->add_option("--steps", flags->options.steps,
                   "Steps before the checkpoint, and again after it")
      ->check(CLI::Range(1, 1000000));
  command
      ->add_option("--transfers", flags->transfers,
                   "Layouts that open each checkpoint: all, the next one (ring), or none")
      ->check(CLI::IsMember({"none", "ring", "all"}));
  command
      ->add_option("--directory", flags->directory,
                   "Directory for checkpoints; default: OUTPUT.verify")
      ->type_name("DIR");
  command->add_option("--set", flags->overrides, "Override a key: --set dtype=f32")
      ->type_name("KEY=VALUE");
  command->footer(
      "Example: fathom verify run.toml --layouts \"tp2 pp2xdp2 dp4+nozero\"\n"
      "Ranks are threads, or mpirun's: mpirun -n 4 fathom verify run.toml --layouts all4");
  command->callback([flags] { run_verify(*flags); });
}

}  // namespace fathom::cli

// fathom dpo: trains a model on pairs of a better and a worse answer.
#include "align/dpo.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/commands.h"
#include "cli/dpo_sample.h"

namespace fathom::cli {
namespace {

struct DpoFlags {
  std::string config;
  std::vector<std::string> overrides;
  TrainOptions options;
};

void run_dpo(const DpoFlags& flags) {
  const DpoConfig config = load_dpo_config(flags.config, flags.overrides);
  Runtime runtime;
  // The exit code that a shell gives for a process ended by a signal.
  if (const int signal = dpo(runtime, config, flags.options)) {
    throw CLI::RuntimeError(128 + signal);
  }
}

}  // namespace

void add_dpo(CLI::App& app) {
  auto flags = std::make_shared<DpoFlags>();
  CLI::App* command =
      app.add_subcommand("dpo", "Train a model to prefer the better of two answers (DPO and kin)");
  command->add_option("config", flags->config, "TOML config of the run");
  command->add_option("--set", flags->overrides, "Override a key: --set dpo.beta=0.2")->take_all();
  command->add_option("--resume", flags->options.run.resume,
                      "auto: from the run's newest checkpoint; none; or a checkpoint's path");
  command
      ->add_option("--ranks", flags->options.ranks,
                   "Ranks as threads of this process, in the layout of [parallel]")
      ->check(CLI::Range(1, 4096));
  command->add_flag("--trace", flags->options.run.trace,
                    "Record some steps for Perfetto in OUTPUT/trace, and log where time goes");
  command->add_flag_callback(
      "--help-config",
      [] {
        std::fputs(config_help<DpoConfig>().c_str(), stdout);
        throw CLI::Success();
      },
      "List every key of the config with its default");
  CLI::App* sample = add_dpo_sample(*command);
  command->footer("Example: fathom dpo configs/align/dpo.toml --set output=runs/dpo");
  command->callback([flags, sample] {
    if (sample->parsed()) return;
    if (flags->config.empty()) throw CLI::RequiredError("config");
    run_dpo(*flags);
  });
}

}  // namespace fathom::cli

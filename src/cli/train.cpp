// fathom train: pre-trains a model according to a config.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/commands.h"
#include "train/trainer.h"

namespace fathom::cli {
namespace {

struct TrainFlags {
  std::string config;
  std::vector<std::string> overrides;
  TrainOptions options;
};

void run_train(const TrainFlags& flags) {
  const TrainConfig config =
      load_train_config(flags.config, flags.overrides, flags.options.run.resume);
  Runtime runtime;
  // The exit code that a shell gives for a process ended by a signal.
  if (const int signal = train(runtime, config, flags.options)) {
    throw CLI::RuntimeError(128 + signal);
  }
}

}  // namespace

void add_train(CLI::App& app) {
  auto flags = std::make_shared<TrainFlags>();
  CLI::App* command = app.add_subcommand("train", "Pre-train a model");
  command->add_option("config", flags->config, "TOML config of the run");
  command->add_option("--set", flags->overrides, "Override a key: --set train.steps=100");
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
        std::fputs(config_help<TrainConfig>().c_str(), stdout);
        throw CLI::Success();
      },
      "List every key of the config with its default");
  command->footer("Example: fathom train run.toml --set train.steps=100 --set output=runs/first");
  command->callback([flags] {
    if (flags->config.empty()) throw CLI::RequiredError("config");
    run_train(*flags);
  });
}

}  // namespace fathom::cli

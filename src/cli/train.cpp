// fathom train: pre-trains a model according to a config.
#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/run_command.h"
#include "eval/run_benchmarks.h"
#include "scaling/run_laws.h"
#include "train/trainer.h"

namespace fathom::cli {
namespace {

void run_train(const RunFlags& flags) {
  scaling::RunByLaws run =
      scaling::load_config_by_laws(flags.config, flags.overrides, flags.options.run.resume);
  TrainOptions options = flags.options;
  options.benchmarks = eval::run_benchmarks();
  options.forecast = std::move(run.forecast);
  Runtime runtime;
  end_by(train(runtime, run.config, options));
}

}  // namespace

void add_train(CLI::App& app) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* command = app.add_subcommand("train", "Pre-train a model");
  add_run_options<TrainConfig>(*command, flags, "train.steps=100");
  command
      ->add_option("--resume", flags->options.run.resume,
                   "auto: from the run's newest checkpoint; none; or a checkpoint's path")
      ->type_name("HOW|DIR");
  command->add_flag("--trace", flags->options.run.trace,
                    "Record some steps for Perfetto in OUTPUT/trace, and log where time goes");
  command->footer(
      "Example: fathom train run.toml --set train.steps=100 --set output=runs/first\n"
      "To continue it with more steps or other data, in an output of its own:\n"
      "  fathom train run.toml --set train.steps=200 --set output=runs/longer "
      "--set continue_from=runs/first@80");
  command->callback([flags] {
    if (flags->config.empty()) throw CLI::RequiredError("config");
    run_train(*flags);
  });
}

}  // namespace fathom::cli

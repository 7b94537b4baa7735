// fathom dpo: trains a model on pairs of a better and a worse answer.
#include "align/dpo.h"

#include <CLI/CLI.hpp>

#include "align/dpo_data.h"
#include "cli/commands.h"
#include "cli/dpo_sample.h"
#include "cli/run_command.h"
#include "eval/run_benchmarks.h"

namespace fathom::cli {
namespace {

void run_dpo(const RunFlags& flags) {
  const DpoConfig config = load_dpo_config(flags.config, flags.overrides);
  TrainOptions options = flags.options;
  options.benchmarks = eval::run_benchmarks([&config] {
    return eval::RunChat{open_base_model(config.model.from, config.model.chat_template).chat,
                         chat_options(config)};
  });
  Runtime runtime;
  end_by(dpo(runtime, config, options));
}

}  // namespace

void add_dpo(CLI::App& app) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* command =
      app.add_subcommand("dpo", "Train a model to prefer the better of two answers (DPO and kin)");
  add_run_options<DpoConfig>(*command, flags, "dpo.beta=0.2");
  command
      ->add_option("--resume", flags->options.run.resume,
                   "auto: from the run's newest checkpoint; none; or a checkpoint's path")
      ->type_name("HOW|DIR");
  command->add_flag("--trace", flags->options.run.trace,
                    "Record some steps for Perfetto in OUTPUT/trace, and log where time goes");
  CLI::App* sample = add_dpo_sample(*command);
  command->footer("Example: fathom dpo configs/align/dpo.toml --set output=runs/dpo");
  command->callback([flags, sample] {
    if (sample->parsed()) return;
    if (flags->config.empty()) throw CLI::RequiredError("config");
    run_dpo(*flags);
  });
}

}  // namespace fathom::cli

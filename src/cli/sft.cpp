// fathom sft: fine-tunes a model on conversations.
#include "align/sft.h"

#include <CLI/CLI.hpp>

#include "align/sft_data.h"
#include "cli/commands.h"
#include "cli/run_command.h"
#include "eval/run_benchmarks.h"

namespace fathom::cli {
namespace {

void run_sft(const RunFlags& flags) {
  const SftConfig config = load_sft_config(flags.config, flags.overrides);
  TrainOptions options = flags.options;
  options.benchmarks = eval::run_benchmarks([&config] {
    return eval::RunChat{open_base_model(config.model.from, config.model.chat_template).chat,
                         chat_options(config)};
  });
  Runtime runtime;
  end_by(sft(runtime, config, options));
}

}  // namespace

void add_sft(CLI::App& app) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* command =
      app.add_subcommand("sft", "Fine-tune a model on conversations, in one stage or several");
  add_run_options<SftConfig>(*command, flags, "train.global_batch=64");
  command
      ->add_option("--resume", flags->options.run.resume,
                   "auto: in the stage under way, from its newest checkpoint; none: from the start")
      ->check(CLI::IsMember({"auto", "none"}));
  command->add_flag("--trace", flags->options.run.trace,
                    "Record some steps of each stage for Perfetto in its directory's trace/");
  command->footer("Example: fathom sft configs/align/sft-two-stages.toml --set output=runs/sft");
  command->callback([flags] {
    if (flags->config.empty()) throw CLI::RequiredError("config");
    run_sft(*flags);
  });
}

}  // namespace fathom::cli

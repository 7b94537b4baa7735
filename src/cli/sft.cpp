// fathom sft: fine-tunes a model on conversations.
#include "align/sft.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/commands.h"

namespace fathom::cli {
namespace {

struct SftFlags {
  std::string config;
  std::vector<std::string> overrides;
  TrainOptions options;
};

void run_sft(const SftFlags& flags) {
  const SftConfig config = load_sft_config(flags.config, flags.overrides);
  Runtime runtime;
  // The exit code that a shell gives for a process ended by a signal.
  if (const int signal = sft(runtime, config, flags.options)) {
    throw CLI::RuntimeError(128 + signal);
  }
}

}  // namespace

void add_sft(CLI::App& app) {
  auto flags = std::make_shared<SftFlags>();
  CLI::App* command =
      app.add_subcommand("sft", "Fine-tune a model on conversations, in one stage or several");
  command->add_option("config", flags->config, "TOML config of the run");
  command->add_option("--set", flags->overrides, "Override a key: --set train.global_batch=64")
      ->take_all();
  command
      ->add_option("--resume", flags->options.run.resume,
                   "auto: in the stage under way, from its newest checkpoint; none: from the start")
      ->check(CLI::IsMember({"auto", "none"}));
  command
      ->add_option("--ranks", flags->options.ranks,
                   "Ranks as threads of this process, in the layout of [parallel]")
      ->check(CLI::Range(1, 4096));
  command->add_flag("--trace", flags->options.run.trace,
                    "Record some steps of each stage for Perfetto in its directory's trace/");
  command->add_flag_callback(
      "--help-config",
      [] {
        std::fputs(config_help<SftConfig>().c_str(), stdout);
        throw CLI::Success();
      },
      "List every key of the config with its default");
  command->footer("Example: fathom sft configs/align/sft-two-stages.toml --set output=runs/sft");
  command->callback([flags] {
    if (flags->config.empty()) throw CLI::RequiredError("config");
    run_sft(*flags);
  });
}

}  // namespace fathom::cli

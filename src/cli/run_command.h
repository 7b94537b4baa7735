// What the commands that train share: their options, and how they end.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/text_flag.h"
#include "core/config.h"
#include "train/trainer.h"

namespace fathom::cli {

struct RunFlags {
  std::string config;
  std::vector<std::string> overrides;
  TrainOptions options;
};

// Adds the config's path, --set, whose help shows `example`, --ranks and --help-config.
template <class Config>
void add_run_options(CLI::App& command, const std::shared_ptr<RunFlags>& flags,
                     const std::string& example) {
  command.add_option("config", flags->config, "TOML config of the run")->type_name("FILE");
  command.add_option("--set", flags->overrides, "Override a key: --set " + example)
      ->type_name("KEY=VALUE")
      ->take_all();
  command
      .add_option("--ranks", flags->options.ranks,
                  "Ranks as threads of this process, in the layout of [parallel]")
      ->check(CLI::Range(1, 4096));
  add_text_flag(
      command, "--help-config", "Configuration", [] { return config_help<Config>(); },
      "List every key of the config with its default");
}

// `signal`: which one stopped the run, or 0. The exit code is then what a shell gives for a process
// that a signal ended.
inline void end_by(int signal) {
  if (signal != 0) throw CLI::RuntimeError(128 + signal);
}

}  // namespace fathom::cli

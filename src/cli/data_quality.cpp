// fathom data quality: classifiers that tell text to learn from, for fathom data clean.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/data_crew.h"
#include "core/config.h"
#include "core/log.h"
#include "data/quality/train.h"

namespace fathom::cli {
namespace {

struct QualityArguments {
  std::string config;
  std::vector<std::string> overrides;
};

void train_quality(const QualityArguments& arguments) {
  quality::TrainConfig config;
  read_config(ConfigTable::load(arguments.config, arguments.overrides), config);
  const quality::TrainReport report = quality::train_classifier(config);
  fmt::print("{}", quality::summary(report));
  log::info("{}: `fathom data clean` takes it as the model of [[classifiers]]", config.output);
}

}  // namespace

void add_data_quality(CLI::App& data) {
  CLI::App* quality = data.add_subcommand("quality", "Train classifiers of text to learn from");
  quality->require_subcommand(1);
  quality->footer("Example: fathom data quality train quality.toml");

  CLI::App* command = quality->add_subcommand(
      "train", "Train a fastText model that tells wanted documents from others, and test it");
  const auto arguments = std::make_shared<QualityArguments>();
  command->add_option("config", arguments->config, "TOML file")->type_name("FILE")->required();
  command->add_option("--set", arguments->overrides, "key=value: override a key of the config")
      ->type_name("KEY=VALUE");
  command->footer("Keys of the config:\n" + config_help<quality::TrainConfig>() +
                  "Example: fathom data quality train quality.toml --set output=quality.bin");
  command->callback([arguments] { run_data_ranks([&](DataCrew&) { train_quality(*arguments); }); });
}

}  // namespace fathom::cli

// fathom data clean: keeps the documents that are fit for training.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/data_stages.h"
#include "cli/text_flag.h"
#include "core/config.h"
#include "data/clean/clean.h"

namespace fathom::cli {
namespace {

struct CleanArguments {
  std::string config;
  std::vector<std::string> overrides;
  std::int64_t dry_run = 0;
};

std::string list_of_rules() {
  std::string list;
  for (const auto rules : {clean::quality_rules(), clean::repetition_rules()}) {
    for (const clean::Rule& rule : rules)
      list += fmt::format("{:<30} {}\n", rule.name, rule.definition);
  }
  list += "\nScores, which tables of their own bound:\n";
  for (const clean::ScoreRule& rule : clean::score_rules()) {
    list += fmt::format("{:<30} {}\n", rule.name, rule.definition);
  }
  return list;
}

void clean_texts(const CleanArguments& arguments) {
  clean::CleanConfig config;
  read_config(ConfigTable::load(arguments.config, arguments.overrides), config);
  const clean::CleanReport report = run_clean(config, arguments.dry_run);
  fmt::print("{}", clean::summary(report));
  if (arguments.dry_run > 0) fmt::print("\n{}", clean::samples_text(report));
}

}  // namespace

void add_data_clean(CLI::App& data) {
  CLI::App* command = data.add_subcommand(
      "clean", "Normalise documents, tell their languages, and drop those that filters reject");
  const auto arguments = std::make_shared<CleanArguments>();
  command->add_option("config", arguments->config, "TOML file")->type_name("FILE")->required();
  command->add_option("--set", arguments->overrides, "key=value: override a key of the config")
      ->type_name("KEY=VALUE");
  command
      ->add_option("--dry-run", arguments->dry_run,
                   "Judge so many documents of each source, show samples, and write nothing")
      ->check(CLI::PositiveNumber);
  add_text_flag(*command, "--rules", "Rules of filters", list_of_rules,
                "List the rules that filters can name, and what each measures");
  command->footer("Keys of the config:\n" + config_help<clean::CleanConfig>() +
                  "Example: fathom data clean clean.toml --dry-run 1000");
  command->callback([arguments] { clean_texts(*arguments); });
}

}  // namespace fathom::cli

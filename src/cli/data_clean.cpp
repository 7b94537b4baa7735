// fathom data clean: keeps the documents that are fit for training.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/data_crew.h"
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
  bool shared = false;
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

void clean_texts(const CleanArguments& arguments, DataCrew& crew) {
  clean::CleanConfig config;
  read_config(ConfigTable::load(arguments.config, arguments.overrides), config);
  crew.check_shared(arguments.shared);
  if (arguments.dry_run > 0) {
    const clean::CleanReport report = try_clean(config, arguments.dry_run);
    fmt::print("{}\n{}", clean::summary(report), clean::samples_text(report));
    return;
  }
  const Role role = arguments.shared ? Role::member : Role::alone;
  fmt::print("{}", clean::summary(run_clean(
                       config, crew.sharing<clean::CleanConfig>(chain::Stage::clean, role))));
}

}  // namespace

void add_data_clean(CLI::App& data) {
  CLI::App* command = data.add_subcommand(
      "clean", "Normalise documents, tell their languages, and drop those that filters reject");
  const auto arguments = std::make_shared<CleanArguments>();
  command->add_option("config", arguments->config, "TOML file")->type_name("FILE")->required();
  command->add_option("--set", arguments->overrides, "key=value: override a key of the config")
      ->type_name("KEY=VALUE");
  CLI::Option* dry_run =
      command
          ->add_option("--dry-run", arguments->dry_run,
                       "Judge so many documents of each source, show samples, and write nothing")
          ->check(CLI::PositiveNumber);
  command
      ->add_flag("--shared", arguments->shared,
                 "Other processes run the same command: each takes parts that no other has, and "
                 "ends when all are done")
      ->excludes(dry_run);
  add_text_flag(*command, "--rules", "Rules of filters", list_of_rules,
                "List the rules that filters can name, and what each measures");
  command->footer("Keys of the config:\n" + config_help<clean::CleanConfig>() +
                  "Example: fathom data clean clean.toml --dry-run 1000\n" +
                  shared_examples("clean clean.toml"));
  command->callback(
      [arguments] { run_data_ranks([&](DataCrew& crew) { clean_texts(*arguments, crew); }); });
}

}  // namespace fathom::cli

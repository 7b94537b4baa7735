// fathom data dedup: finds copies among documents and writes what stays.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/data_crew.h"
#include "core/config.h"
#include "core/log.h"
#include "data/dedup/dedup.h"

namespace fathom::cli {
namespace {

void index_with_others(const dedup::DedupConfig& config) {
  dedup::deduplicate(config, {Role::helper, {}});
  log::info("all sources are in the index; the same command without --shared does the rest");
}

}  // namespace

void add_data_dedup(CLI::App& data) {
  CLI::App* command = data.add_subcommand("dedup",
                                          "Remove copies across all sources: equal documents and "
                                          "similar ones by MinHash; by choice lines, "
                                          "paragraphs and sequences of tokens, too");
  struct Arguments {
    std::string config;
    std::vector<std::string> overrides;
    bool shared = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("config", arguments->config, "TOML file")->type_name("FILE")->required();
  command->add_option("--set", arguments->overrides, "key=value: override a key of the config")
      ->type_name("KEY=VALUE");
  command->add_flag(
      "--shared", arguments->shared,
      "Only read the sources into the index, together with other processes of the same "
      "command; a call without it does the rest");
  command->footer("Keys of the config:\n" + config_help<dedup::DedupConfig>() +
                  "Example: fathom data dedup dedup.toml --set minhash.threshold=0.7\n" +
                  shared_examples("dedup dedup.toml"));
  command->callback([arguments] {
    run_data_ranks([&](DataCrew& crew) {
      dedup::DedupConfig config;
      read_config(ConfigTable::load(arguments->config, arguments->overrides), config);
      crew.check_shared(arguments->shared);
      if (arguments->shared) return index_with_others(config);
      fmt::print("{}", dedup::summary(dedup::deduplicate(
                           config, crew.sharing<dedup::DedupConfig>(chain::Stage::dedup))));
    });
  });
}

}  // namespace fathom::cli

// fathom data dedup: finds copies among documents and writes what stays.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "core/config.h"
#include "data/dedup/dedup.h"

namespace fathom::cli {

void add_data_dedup(CLI::App& data) {
  CLI::App* command = data.add_subcommand("dedup",
                                          "Remove copies across all sources: equal documents and "
                                          "similar ones by MinHash; by choice lines, "
                                          "paragraphs and sequences of tokens, too");
  struct Arguments {
    std::string config;
    std::vector<std::string> overrides;
  };
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("config", arguments->config, "TOML file")->type_name("FILE")->required();
  command->add_option("--set", arguments->overrides, "key=value: override a key of the config")
      ->type_name("KEY=VALUE");
  command->footer("Keys of the config:\n" + config_help<dedup::DedupConfig>() +
                  "Example: fathom data dedup dedup.toml --set minhash.threshold=0.7");
  command->callback([arguments] {
    dedup::DedupConfig config;
    read_config(ConfigTable::load(arguments->config, arguments->overrides), config);
    fmt::print("{}", dedup::summary(dedup::deduplicate(config)));
  });
}

}  // namespace fathom::cli

// fathom data: converts text to token shards and back, and checks shards.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/data_crew.h"
#include "cli/data_stages.h"
#include "core/config.h"
#include "core/error.h"
#include "data/prepare.h"
#include "tokenizer/tokenizer.h"

namespace fathom::cli {

namespace {

struct PrepareArguments {
  std::string config;
  std::vector<std::string> overrides;
  bool overwrite = false;
};

void prepare(const PrepareArguments& arguments) {
  PrepareConfig config;
  read_config(ConfigTable::load(arguments.config, arguments.overrides), config);
  if (config.tokenizer.empty()) fail_input("{}: tokenizer: missing", arguments.config);
  const PrepareReport report =
      run_prepare(config, arguments.overwrite ? Overwrite::yes : Overwrite::no);
  fmt::print("{}", summary(report));
}

struct TextArguments {
  std::string directory, source;
  bool held_out = false;
};

// Writes the bytes of each document and a line end.
void print_documents(const TokenStream& stream, const Tokenizer& tokenizer, std::int32_t eos) {
  constexpr std::int64_t block = 1 << 16;
  std::vector<std::int32_t> ids, document;
  for (std::int64_t begin = 0; begin < stream.tokens(); begin += block) {
    ids.resize(static_cast<std::size_t>(std::min(block, stream.tokens() - begin)));
    stream.read(begin, ids);
    for (const std::int32_t id : ids) {
      if (id != eos) {
        document.push_back(id);
        continue;
      }
      const std::string text = tokenizer.decode(document) + "\n";
      if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
        fail_runtime("standard output: cannot be written: {}", std::strerror(errno));
      }
      document.clear();
    }
  }
}

void print_text(const TextArguments& arguments) {
  const PreparedData data = open_prepared(arguments.directory);
  const Tokenizer tokenizer = Tokenizer::load(data.directory + "/tokenizer.json");
  bool found = false;
  for (const PreparedSource& source : data.sources) {
    if (!arguments.source.empty() && source.name != arguments.source) continue;
    found = true;
    print_documents(arguments.held_out ? source.held_out : source.train, tokenizer, data.eos);
  }
  if (!found) {
    fail_input("{} has no source '{}'; `fathom data check {}` lists them", arguments.directory,
               arguments.source, arguments.directory);
  }
}

}  // namespace

void add_data(CLI::App& app) {
  CLI::App* data = app.add_subcommand("data", "Prepare and check data for training");
  data->require_subcommand(1);
  data->footer("Example: fathom data prepare data.toml");

  CLI::App* command = data->add_subcommand("prepare", "Turn text into token shards");
  const auto arguments = std::make_shared<PrepareArguments>();
  command->add_option("config", arguments->config, "TOML file")->type_name("FILE")->required();
  command->add_option("--set", arguments->overrides, "key=value: override a key of the config")
      ->type_name("KEY=VALUE");
  command->add_flag("--overwrite", arguments->overwrite, "replace an existing output directory");
  command->footer("Keys of the config:\n" + config_help<PrepareConfig>() +
                  "Example: fathom data prepare data.toml --set output=prepared");
  command->callback([arguments] { run_data_ranks([&](DataCrew&) { prepare(*arguments); }); });

  add_data_check(*data);
  add_data_clean(*data);
  add_data_dedup(*data);
  add_data_mix(*data);
  add_data_quality(*data);
  add_data_run(*data);
  add_data_stats(*data);

  CLI::App* text_command = data->add_subcommand("text", "Write the documents of shards as text");
  const auto text = std::make_shared<TextArguments>();
  text_command->add_option("directory", text->directory, "a prepared directory")
      ->type_name("DIR")
      ->required();
  text_command->add_option("--source", text->source, "only the documents of this source");
  text_command->add_flag("--held-out", text->held_out,
                         "the held-out documents instead of the training documents");
  text_command->footer("Example: fathom data text prepared --source english --held-out | less");
  text_command->callback([text] { print_text(*text); });
}

}  // namespace fathom::cli

#include "data/chain/config.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <set>

#include "core/error.h"
#include "data/chain/sources.h"
#include "data/prepare_check.h"

namespace fathom::chain {
namespace {

void reject_chain_keys(const ConfigTable& file) {
  for (const Stage stage : all_stages) {
    const auto table = file.table(enum_name(stage));
    if (!table) continue;
    for (const std::string& key : table->keys()) {
      if (!set_by_chain(key)) continue;
      fail_input(
          "{}: the chain sets this key: the first stage reads the [[sources]] at the top, each "
          "other one what the stage before it wrote, and all write below `output`",
          table->where(key));
    }
  }
}

void check_sources(const ChainConfig& config) {
  if (config.output.empty()) fail_input("output: missing; name the directory to make");
  if (config.sources.empty()) fail_input("sources: missing; add at least one [[sources]] table");
  std::set<std::string> names;
  for (const SourceConfig& source : config.sources) {
    check_source_name(source.name, names);
    if (!source.held_out_paths.empty()) check_source_name(held_out_name(source.name), names);
  }
}

// Where stages do not fit together.
void check_links(const ChainConfig& config) {
  if (config.stages.empty()) {
    fail_input("no stage: add [clean], [dedup], [tokenizer] or [prepare]; a table may be empty");
  }
  if (config.has(Stage::clean) && !config.clean.buckets.by.empty()) {
    fail_input(
        "clean.buckets: a chain does not sort texts into buckets; use `fathom data clean` and "
        "make each bucket a source");
  }
  if (config.has(Stage::dedup) && !config.dedup.write_texts &&
      config.stages.back() != Stage::dedup) {
    fail_input("dedup.write_texts = false: leaves {} nothing to read",
               enum_name(*(std::ranges::find(config.stages, Stage::dedup) + 1)));
  }
  if (!config.has(Stage::prepare)) return;
  const bool given = !config.prepare.tokenizer.empty();
  if (given && config.has(Stage::tokenizer)) {
    fail_input("prepare.tokenizer: [tokenizer] trains one; remove this key or that table");
  }
  if (!given && !config.has(Stage::tokenizer)) {
    fail_input(
        "prepare.tokenizer: missing; name a tokenizer.json, or add [tokenizer] to train one");
  }
  if (const std::string& name = config.prepare.end_of_document;
      !given && !name.empty() && std::ranges::count(config.tokenizer.special_tokens, name) == 0) {
    fail_input("prepare.end_of_document: '{}' is none of tokenizer.special_tokens", name);
  }
  if (given && !std::filesystem::exists(config.prepare.tokenizer)) {
    fail_input("prepare.tokenizer: there is no file {}", config.prepare.tokenizer);
  }
}

// A stage that makes text writes rows of JSON under the source's field, and plain text under
// "text"; the next one reads one field.
void check_fields(const ChainConfig& config) {
  if (config.stages.size() < 2 || !makes_text(config.stages.front())) return;
  for (const SourceConfig& source : config.sources) {
    if (source.format != TextFormat::automatic || source.content != TextContent::text) continue;
    if (source.field == TextSourceConfig{}.field) continue;
    fail_input(
        "source '{0}': field = \"{1}\" with format = \"auto\": files of plain text would not have "
        "their text in '{1}' behind {2}; set format = \"jsonl\", which reads Parquet, too",
        source.name, source.field, enum_name(config.stages.front()));
  }
}

// [tokenizer] reads files without a source's settings.
void check_tokenizer_sources(const ChainConfig& config) {
  if (!config.has(Stage::tokenizer)) return;
  const bool raw = config.stages.front() == Stage::tokenizer;
  for (const SourceConfig& source : config.sources) {
    if (raw && source.content == TextContent::html) {
      fail_input("tokenizer: source '{}' is web pages; add [clean], which takes their text",
                 source.name);
    }
    if (raw && (source.format != TextFormat::automatic || source.skip_broken_lines)) {
      fail_input(
          "tokenizer: source '{}' has format or skip_broken_lines, which training a tokenizer does "
          "not know; add [clean] or [dedup], or remove these keys",
          source.name);
    }
    if (text_field_of(source) == text_field_of(config.sources.front())) continue;
    fail_input(
        "tokenizer: sources '{}' and '{}' have their texts in different fields; train the "
        "tokenizer by itself and name it as prepare.tokenizer",
        config.sources.front().name, source.name);
  }
}

// Of the stage's table, as the stage itself checks it.
void check_table(const ChainConfig& config, Stage stage) {
  const std::vector<TextSourceConfig> sources(config.sources.begin(), config.sources.end());
  switch (stage) {
    case Stage::clean: {
      clean::CleanConfig clean = config.clean;
      clean.output = config.folder(stage);
      clean.sources = sources;
      return check_config(clean);
    }
    case Stage::dedup: {
      dedup::DedupConfig dedup = config.dedup;
      dedup.output = config.folder(stage);
      dedup.sources = sources;
      return check_config(dedup);
    }
    case Stage::tokenizer:
      return check_config(static_cast<const TokenizerTrainConfig&>(config.tokenizer));
    case Stage::prepare: {
      PrepareConfig prepare = config.prepare;
      prepare.output = config.folder(stage);
      prepare.sources = config.sources;
      return check_prepare_config(prepare);
    }
  }
}

template <class Config>
std::string text_without_threads(StageTable<Config> table) {
  if constexpr (requires { table.threads; }) table.threads = 0;
  return config_to_toml(table);
}

// What of the sources a stage depends on even when it reads what another one wrote.
std::string sources_of(const ChainConfig& config) {
  std::string text;
  for (const SourceConfig& source : config.sources) {
    text += fmt::format("# {} {} held out: {} skip: {}\n", source.name, text_field_of(source),
                        !source.held_out_paths.empty(), source.skip_broken_lines);
  }
  return text;
}

// The shares of the sources, which `data prepare` writes.
std::string weights_of(const ChainConfig& config) {
  std::string text;
  for (const SourceConfig& source : config.sources) {
    text += fmt::format("# {} {}\n", source.name, source.weight);
  }
  return text;
}

std::string table_of(const ChainConfig& config, Stage stage) {
  switch (stage) {
    case Stage::clean:
      return text_without_threads(config.clean);
    case Stage::dedup: {
      StageTable<dedup::DedupConfig> table = config.dedup;
      table.memory_mb = 0;
      return text_without_threads(table);
    }
    case Stage::tokenizer:
      return text_without_threads(config.tokenizer);
    case Stage::prepare:
      return text_without_threads(config.prepare) + weights_of(config);
  }
  fail_runtime("no stage {}", static_cast<int>(stage));
}

}  // namespace

bool set_by_chain(std::string_view key) {
  // `report_mb`: the table of `tokenizer train`, with a line for each file, is not printed.
  static constexpr std::string_view keys[] = {"output", "sources",    "index",
                                              "files",  "text_field", "report_mb"};
  return std::ranges::count(keys, key) > 0;
}

bool ChainConfig::has(Stage stage) const {
  return std::ranges::count(stages, stage) > 0;
}

std::string ChainConfig::folder(Stage stage) const {
  return fmt::format("{}/{}", output, enum_name(stage));
}

ChainConfig load_chain(const std::string& path, std::span<const std::string> overrides) {
  const ConfigTable file = ConfigTable::load(path, overrides);
  reject_chain_keys(file);
  ChainConfig config;
  read_config(file, config);
  for (const Stage stage : all_stages) {
    if (file.table(enum_name(stage))) config.stages.push_back(stage);
  }
  with_location(path, [&] {
    check_sources(config);
    for (const Stage stage : config.stages) {
      with_location(fmt::format("[{}]", enum_name(stage)), [&] { check_table(config, stage); });
    }
    check_links(config);
    check_fields(config);
    check_tokenizer_sources(config);
  });
  return config;
}

std::string own_config(const ChainConfig& config, Stage stage) {
  return table_of(config, stage) + sources_of(config);
}

std::vector<std::string> named_files(const ChainConfig& config, Stage stage) {
  std::vector<std::string> files;
  if (stage == Stage::clean) {
    for (const clean::ClassifierConfig& table : config.clean.classifiers) {
      files.push_back(table.model);
    }
    files.push_back(config.clean.perplexity.model);
    if (const clean::ContaminationConfig& table = config.clean.contamination;
        !table.tasks.empty()) {
      files.insert(files.end(), {table.data, table.configs});
      // A task is a name in `configs`, or the path of a file.
      std::ranges::copy_if(table.tasks, std::back_inserter(files),
                           [](const std::string& task) { return task.ends_with(".toml"); });
    }
  }
  if (stage == Stage::tokenizer) files.push_back(config.tokenizer.like);
  if (stage == Stage::prepare) files.push_back(config.prepare.tokenizer);
  std::erase_if(files, [](const std::string& file) {
    std::error_code absent;
    return !std::filesystem::exists(file, absent);
  });
  return files;
}

}  // namespace fathom::chain

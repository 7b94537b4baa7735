// The config of `data run`: the stages from text to token shards in one file. Each stage's table
// has the keys of its own command, except for those that say where it reads and writes.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/enum_names.h"
#include "data/clean/config.h"
#include "data/config.h"
#include "data/dedup/config.h"
#include "tokenizer/trainer.h"

namespace fathom::chain {

// In the order in which they run. A stage without a table in the config is left out.
enum class Stage { clean, dedup, tokenizer, prepare };
inline std::span<const std::string_view> enum_names(Stage) {
  static constexpr std::string_view names[] = {"clean", "dedup", "tokenizer", "prepare"};
  return names;
}
inline constexpr Stage all_stages[] = {Stage::clean, Stage::dedup, Stage::tokenizer,
                                       Stage::prepare};

// Whether the stage after it reads what it writes: text of text.
inline bool makes_text(Stage stage) {
  return stage == Stage::clean || stage == Stage::dedup;
}

// Whether the chain gives the value of this key of a stage.
bool set_by_chain(std::string_view key);

// `Config` without the keys that the chain sets.
template <class Config>
struct StageTable : Config {};
template <class Config, class Visitor>
void visit_fields(StageTable<Config>& c, Visitor&& field) {
  visit_fields(static_cast<Config&>(c), [&](const char* key, auto& value, const char* help) {
    if (!set_by_chain(key)) field(key, value, help);
  });
}

struct ChainConfig {
  std::string output;
  std::vector<SourceConfig> sources;
  StageTable<clean::CleanConfig> clean;
  StageTable<dedup::DedupConfig> dedup;
  StageTable<TokenizerTrainConfig> tokenizer;
  StageTable<PrepareConfig> prepare;

  std::vector<Stage> stages;  // whose tables the file has, in their order

  bool has(Stage stage) const;
  std::string folder(Stage stage) const;  // OUTPUT/clean
};
template <class Visitor>
void visit_fields(ChainConfig& c, Visitor&& field) {
  field("output", c.output, "the stages write to OUTPUT/clean, OUTPUT/dedup, ...");
  field("sources", c.sources, "what the first stage reads; weights and held_out_paths: prepare");
  field("clean", c.clean, "");
  field("dedup", c.dedup, "");
  field("tokenizer", c.tokenizer, "");
  field("prepare", c.prepare, "");
}

// Throws an input Error with the file and the table for all that can be told before the sources are
// read: unknown keys, values out of range, names of sources, and stages that do not fit together.
ChainConfig load_chain(const std::string& path, std::span<const std::string> overrides = {});

// The stage's own table, and the sources without their paths, as text: what its output depends on
// besides what it reads. Not how much of the machine it takes.
std::string own_config(const ChainConfig& config, Stage stage);

// Files and folders that the stage's table names, of those that are there: models, benchmarks.
std::vector<std::string> named_files(const ChainConfig& config, Stage stage);

}  // namespace fathom::chain

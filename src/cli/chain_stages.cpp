#include "cli/chain_stages.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "cli/data_stages.h"
#include "core/log.h"
#include "data/chain/sources.h"
#include "data/dedup/dedup.h"
#include "tokenizer/tokenizer.h"

namespace fathom::cli {
namespace {

namespace fs = std::filesystem;

PartFile file_in(const std::string& folder, const std::string& path) {
  return {path, fs::file_size(folder + "/" + path)};
}

// What `data clean` and `data dedup` wrote of a source.
std::vector<PartFile> texts_in(const std::string& folder, const std::string& source) {
  std::vector<PartFile> files;
  while (true) {
    const auto number = static_cast<std::int64_t>(files.size());
    const std::string path = "texts/" + part_name(source, number) + ".jsonl.zst";
    if (!fs::exists(folder + "/" + path)) return files;
    files.push_back(file_in(folder, path));
  }
}

chain::StageOutput clean_stage(const chain::ChainConfig& given,
                               const std::vector<SourceConfig>& sources, DataCrew& crew) {
  clean::CleanConfig config = given.clean;
  config.output = given.folder(chain::Stage::clean);
  config.sources = chain::text_sources(sources, config.output);
  const clean::CleanReport report =
      run_clean(config, crew.sharing<clean::CleanConfig>(chain::Stage::clean));
  std::fputs(clean::summary(report).c_str(), stderr);
  chain::StageOutput output;
  for (const auto& [name, counts] : report.sources) {
    chain::StageSource source{name, texts_in(config.output, name), {}, {}, 0};
    for (const auto& [key, tally] : counts.tallies) {
      const chain::TextCounts texts{tally.documents, tally.bytes};
      source.read.add(texts);
      if (key.second == clean::kept_reason) source.kept.add(texts);
    }
    output.sources.push_back(std::move(source));
  }
  return output;
}

chain::StageOutput dedup_stage(const chain::ChainConfig& given,
                               const std::vector<SourceConfig>& sources, DataCrew& crew) {
  dedup::DedupConfig config = given.dedup;
  config.output = given.folder(chain::Stage::dedup);
  config.sources = chain::text_sources(sources, config.output);
  const dedup::DedupReport report =
      dedup::deduplicate(config, crew.sharing<dedup::DedupConfig>(chain::Stage::dedup));
  std::fputs(dedup::summary(report).c_str(), stderr);
  chain::StageOutput output;
  for (const dedup::SourceReport& source : report.sources) {
    const dedup::RemovedCounts& removed = source.removed;
    const std::uint64_t gone =
        removed.exact + removed.near + source.cuts.left_empty + source.cuts.lost_too_much;
    const auto counts = [](std::uint64_t documents, std::uint64_t bytes) {
      return chain::TextCounts{static_cast<std::int64_t>(documents),
                               static_cast<std::int64_t>(bytes)};
    };
    output.sources.push_back({source.name, texts_in(config.output, source.name),
                              counts(removed.documents, source.bytes),
                              counts(removed.documents - gone, source.kept_bytes), 0});
  }
  return output;
}

std::string tokenizer_of(const chain::ChainConfig& given) {
  return given.has(chain::Stage::tokenizer)
             ? given.folder(chain::Stage::tokenizer) + "/tokenizer.json"
             : given.prepare.tokenizer;
}

chain::StageOutput tokenizer_stage(const chain::ChainConfig& given,
                                   const std::vector<SourceConfig>& sources) {
  TokenizerTrainConfig config = given.tokenizer;
  config.text_field = chain::text_field_of(sources.front());
  config.report_mb = 0;
  const std::string folder = given.folder(chain::Stage::tokenizer);
  config.files = chain::training_files(sources, folder);
  fs::create_directories(folder);
  const TokenizerTrainResult result = train_tokenizer(config);
  result.tokenizer.save(tokenizer_of(given));
  log::info("{}: {} tokens", tokenizer_of(given), result.tokenizer.vocab_size());
  return {{}, {file_in(folder, "tokenizer.json")}};
}

chain::StageOutput prepare_stage(const chain::ChainConfig& given,
                                 const std::vector<SourceConfig>& sources) {
  PrepareConfig config = given.prepare;
  config.output = given.folder(chain::Stage::prepare);
  config.tokenizer = tokenizer_of(given);
  config.sources = sources;
  const PrepareReport report = run_prepare(config, Overwrite::yes);
  std::fputs(summary(report).c_str(), stderr);
  chain::StageOutput output;
  for (const SourceEntry& entry : report.manifest.sources) {
    chain::StageSource source{entry.name, {}, {}, {}, 0};
    for (const Split split : all_splits) {
      const ShardCounts counts = entry.counts(split);
      source.kept.add({counts.documents, counts.text_bytes});
      source.tokens += counts.tokens;
      for (const ShardEntry& shard : entry.shards[static_cast<int>(split)]) {
        source.files.push_back(file_in(config.output, shard.file));
      }
    }
    source.read = source.kept;
    output.sources.push_back(std::move(source));
  }
  for (const char* name : {"manifest.json", "tokenizer.json"}) {
    output.files.push_back(file_in(config.output, name));
  }
  return output;
}

}  // namespace

OwnFiles files_of(chain::Stage stage, std::span<const std::string> sources) {
  switch (stage) {
    case chain::Stage::clean:
      return clean::clean_files(sources);
    case chain::Stage::dedup:
      return dedup::dedup_files(sources);
    case chain::Stage::tokenizer:
      return {"tokenizer.json", "tokenizer.json.tmp-*"};
    case chain::Stage::prepare:
      return prepared_files(sources);
  }
  fail_runtime("no stage {}", static_cast<int>(stage));
}

chain::StageOutput run_stage(const chain::ChainConfig& config, chain::Stage stage,
                             const std::vector<SourceConfig>& sources, DataCrew& crew) {
  switch (stage) {
    case chain::Stage::clean:
      return clean_stage(config, sources, crew);
    case chain::Stage::dedup:
      return dedup_stage(config, sources, crew);
    case chain::Stage::tokenizer:
      return tokenizer_stage(config, sources);
    case chain::Stage::prepare:
      return prepare_stage(config, sources);
  }
  fail_runtime("no stage {}", static_cast<int>(stage));
}

}  // namespace fathom::cli

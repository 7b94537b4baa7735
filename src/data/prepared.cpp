#include "data/prepared.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.h"

namespace fathom {

namespace {

TokenStream open_stream(const std::string& directory, const Manifest& manifest,
                        const SourceEntry& source, Split split, Verify verify) {
  std::vector<Shard> shards;
  for (const ShardEntry& entry : source.shards[static_cast<int>(split)]) {
    Shard shard(directory + "/" + entry.file, verify);
    const ShardInfo expected{source.name, manifest.tokenizer_hash, manifest.vocab_size,
                             manifest.eos};
    if (shard.info() != expected || shard.counts() != entry.counts ||
        shard.checksum() != entry.checksum) {
      fail_input("{}: not the shard that {}/manifest.json describes; prepare the data again",
                 shard.path(), directory);
    }
    shards.push_back(std::move(shard));
  }
  return TokenStream(std::move(shards));
}

void check_weight(const PreparedSource& source) {
  if (!std::isfinite(source.weight) || source.weight < 0) {
    fail_input("data.sources: source '{}' has the weight {}; it must be 0 or more", source.name,
               source.weight);
  }
}

// Moves the source called `wanted.name` out of `from`, with the weight asked for.
PreparedSource take_source(PreparedData& from, const DataSourceConfig& wanted) {
  std::vector<std::string> names;
  for (PreparedSource& source : from.sources) {
    if (source.name == wanted.name) {
      PreparedSource taken = std::move(source);
      source.name.clear();  // so that asking twice fails
      taken.weight = wanted.weight.value_or(taken.weight);
      return taken;
    }
    names.push_back(source.name);
  }
  fail_input("data.sources: {} has no source '{}' (left); it has {}", from.directory, wanted.name,
             fmt::join(names, ", "));
}

}  // namespace

PreparedData open_prepared(const std::string& directory, Verify verify) {
  const Manifest manifest = read_manifest(directory);
  PreparedData data{manifest.tokenizer_hash, manifest.vocab_size, manifest.eos, {}, directory};
  for (const SourceEntry& entry : manifest.sources) {
    data.sources.push_back({entry.name, entry.weight,
                            open_stream(directory, manifest, entry, Split::train, verify),
                            open_stream(directory, manifest, entry, Split::held_out, verify)});
  }
  if (data.sources.empty()) fail_input("{}: holds no sources; prepare the data again", directory);
  return data;
}

PreparedData open_prepared(const DataConfig& config) {
  const Verify verify = config.verify ? Verify::content : Verify::structure;
  PreparedData data;
  if (config.sources.empty()) {
    if (config.directory.empty()) {
      fail_input("data.directory: missing; name the directory that `fathom data prepare` made");
    }
    data = open_prepared(config.directory, verify);
  } else {
    std::map<std::string, PreparedData> directories;
    for (const DataSourceConfig& wanted : config.sources) {
      const std::string directory = wanted.directory.empty() ? config.directory : wanted.directory;
      if (directory.empty()) {
        fail_input("data.sources: source '{}' has no directory, and data.directory is not set",
                   wanted.name);
      }
      auto opened = directories.find(directory);
      if (opened == directories.end()) {
        opened = directories.emplace(directory, open_prepared(directory, verify)).first;
      }
      const PreparedData& from = opened->second;
      if (data.sources.empty()) {
        data = {from.tokenizer_hash, from.vocab_size, from.eos, {}, directory};
      } else if (from.tokenizer_hash != data.tokenizer_hash) {
        fail_input("{}: prepared with another tokenizer than {}; prepare both with the same one",
                   directory, data.directory);
      }
      data.sources.push_back(take_source(opened->second, wanted));
    }
  }
  for (const PreparedSource& source : data.sources) check_weight(source);
  return data;
}

void PreparedData::check_tokenizer(std::uint64_t hash, const std::string& tokenizer_path) const {
  if (hash == tokenizer_hash) return;
  fail_input(
      "{}: prepared with another tokenizer (hash {}) than {} (hash {}); prepare the data "
      "again with it, or use {}/tokenizer.json",
      directory, checksum_text(tokenizer_hash), tokenizer_path, checksum_text(hash), directory);
}

}  // namespace fathom

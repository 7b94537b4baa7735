#include <charconv>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "data/prepared.h"

namespace fathom {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* format_name = "fathom token shards";
constexpr int format_version = 1;

Json to_json(const ShardCounts& counts) {
  return {{"documents", counts.documents},
          {"tokens", counts.tokens},
          {"text_bytes", counts.text_bytes}};
}

ShardCounts counts_from(const Json& json) {
  return {json.at("documents"), json.at("tokens"), json.at("text_bytes")};
}

// A 64-bit number as 16 hexadecimal digits: JSON numbers lose bits elsewhere.
std::uint64_t hash_from(const Json& json) {
  const std::string text = json;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::invalid_argument("'" + text + "' is no checksum");
  }
  return value;
}

SourceEntry source_from(const Json& json) {
  SourceEntry source{json.at("name"), json.at("weight"), {}};
  for (const Split split : all_splits) {
    for (const Json& shard : json.at(std::string(name_of(split))).at("shards")) {
      const std::string file = shard.at("file");
      if (file.empty() || file[0] == '/' || file.find("..") != std::string::npos) {
        throw std::invalid_argument("'" + file + "' is no file of this directory");
      }
      source.shards[static_cast<int>(split)].push_back(
          {file, counts_from(shard), hash_from(shard.at("checksum"))});
    }
  }
  return source;
}

Manifest manifest_from(const Json& json) {
  if (json.at("format") != format_name) throw std::invalid_argument("another format");
  if (json.at("version") != format_version) {
    throw std::invalid_argument("version " + json.at("version").dump() + " is not known");
  }
  Manifest manifest;
  const Json& tokenizer = json.at("tokenizer");
  manifest.tokenizer_hash = hash_from(tokenizer.at("hash"));
  manifest.vocab_size = tokenizer.at("vocab_size");
  manifest.eos = tokenizer.at("eos");
  manifest.seed = json.at("seed");
  manifest.held_out_fraction = json.at("held_out_fraction");
  for (const Json& source : json.at("sources")) manifest.sources.push_back(source_from(source));
  return manifest;
}

}  // namespace

std::string_view name_of(Split split) {
  return split == Split::train ? "train" : "held_out";
}

ShardCounts SourceEntry::counts(Split split) const {
  ShardCounts total;
  for (const ShardEntry& shard : shards[static_cast<int>(split)]) total += shard.counts;
  return total;
}

Manifest read_manifest(const std::string& directory) {
  const std::string path = directory + "/manifest.json";
  const MappedFile file(path);
  try {
    return manifest_from(Json::parse(file.text()));
  } catch (const std::exception& error) {
    fail_input("{}: not the manifest of prepared data ({}); run `fathom data prepare`", path,
               error.what());
  }
}

std::string manifest_text(const Manifest& manifest) {
  Json json = {{"format", format_name},
               {"version", format_version},
               {"tokenizer",
                {{"hash", checksum_text(manifest.tokenizer_hash)},
                 {"vocab_size", manifest.vocab_size},
                 {"eos", manifest.eos}}},
               {"seed", manifest.seed},
               {"held_out_fraction", manifest.held_out_fraction},
               {"sources", Json::array()}};
  for (const SourceEntry& source : manifest.sources) {
    Json entry = {{"name", source.name}, {"weight", source.weight}};
    for (const Split split : all_splits) {
      Json& half = entry[std::string(name_of(split))] = to_json(source.counts(split));
      half["shards"] = Json::array();
      for (const ShardEntry& shard : source.shards[static_cast<int>(split)]) {
        Json item = {{"file", shard.file}};
        item.update(to_json(shard.counts));
        item["checksum"] = checksum_text(shard.checksum);
        half["shards"].push_back(item);
      }
    }
    json["sources"].push_back(entry);
  }
  return json.dump(2) + "\n";
}

}  // namespace fathom

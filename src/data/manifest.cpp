#include <charconv>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "data/prepared.h"
#include "io/json_object.h"

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

ShardCounts counts_from(const JsonObject& json) {
  return {json.integer("documents"), json.integer("tokens"), json.integer("text_bytes")};
}

// A 64-bit number as 16 hexadecimal digits, because other programs read JSON numbers as
// doubles.
std::uint64_t hash_from(const JsonObject& json, std::string_view key) {
  const std::string text = json.text(key);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) {
    fail_input("{}: '{}' is not a checksum", json.source(), text);
  }
  return value;
}

SourceEntry source_from(const JsonObject& json) {
  SourceEntry source{json.text("name"), json.number("weight"), {}};
  for (const Split split : all_splits) {
    for (const JsonObject& shard : json.object(name_of(split)).objects("shards")) {
      const std::string file = shard.text("file");
      if (file.empty() || file[0] == '/' || file.find("..") != std::string::npos) {
        fail_input("{}: '{}' is not a file of this directory", json.source(), file);
      }
      source.shards[static_cast<int>(split)].push_back(
          {file, counts_from(shard), hash_from(shard, "checksum")});
    }
  }
  return source;
}

Manifest manifest_from(const JsonObject& json) {
  if (json.text("format") != format_name) fail_input("{}: another format", json.source());
  if (json.integer("version") != format_version) {
    fail_input("{}: version {} is not known", json.source(), json.integer("version"));
  }
  Manifest manifest;
  const JsonObject tokenizer = json.object("tokenizer");
  manifest.tokenizer_hash = hash_from(tokenizer, "hash");
  manifest.vocab_size = tokenizer.integer("vocab_size");
  manifest.eos = static_cast<std::int32_t>(tokenizer.integer("eos", 0, INT32_MAX));
  manifest.seed = json.integer("seed");
  manifest.held_out_fraction = json.number("held_out_fraction");
  for (const JsonObject& source : json.objects("sources")) {
    manifest.sources.push_back(source_from(source));
  }
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
  try {
    const std::string source = path + ": not the manifest of prepared data";
    return manifest_from(JsonObject::parse(MappedFile(path).text(), source));
  } catch (const Error& error) {
    fail_input("{}; run `fathom data prepare`", error.what());
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

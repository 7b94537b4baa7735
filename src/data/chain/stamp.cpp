#include "data/chain/stamp.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/atomic_file.h"
#include "io/checksum.h"
#include "io/json_object.h"

namespace fathom::chain {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::int64_t stamp_version = 1;

Json json_of(const std::vector<PartFile>& files) {
  Json list = Json::array();
  for (const PartFile& file : files) list.push_back({{"path", file.path}, {"bytes", file.bytes}});
  return list;
}

Json json_of(const TextCounts& counts) {
  return {{"documents", counts.documents}, {"bytes", counts.bytes}};
}

std::vector<PartFile> files_of(const JsonObject& json) {
  std::vector<PartFile> files;
  for (const JsonObject& file : json.objects("files")) {
    files.push_back({file.text("path"), file.unsigned_integer("bytes")});
  }
  return files;
}

TextCounts counts_of(const JsonObject& json) {
  return {json.integer("documents"), json.integer("bytes")};
}

}  // namespace

void TextCounts::add(const TextCounts& other) {
  documents += other.documents;
  bytes += other.bytes;
}

std::string StageStamp::identity() const {
  return checksum_text(checksum_of(config + input));
}

std::vector<std::string> StageStamp::source_names() const {
  std::vector<std::string> names;
  for (const StageSource& source : output.sources) names.push_back(source.name);
  return names;
}

void StageStamp::save(const std::string& path) const {
  Json sources = Json::array();
  for (const StageSource& source : output.sources) {
    sources.push_back({{"name", source.name},
                       {"read", json_of(source.read)},
                       {"kept", json_of(source.kept)},
                       {"tokens", source.tokens},
                       {"files", json_of(source.files)}});
  }
  const Json json = {{"version", stamp_version}, {"config", config},
                     {"input", input},           {"done", done},
                     {"seconds", seconds},       {"files", json_of(output.files)},
                     {"sources", sources}};
  write_file_atomically(path, json.dump(1) + "\n");
}

std::optional<StageStamp> StageStamp::load(const std::string& path) {
  std::error_code absent;
  if (!fs::exists(path, absent)) return std::nullopt;
  const JsonObject json = JsonObject::load(path);
  json.integer("version", stamp_version, stamp_version);
  StageStamp stamp;
  stamp.config = json.text("config");
  stamp.input = json.text("input");
  stamp.done = json.boolean("done");
  stamp.seconds = json.number("seconds");
  stamp.output.files = files_of(json);
  for (const JsonObject& source : json.objects("sources")) {
    stamp.output.sources.push_back({source.text("name"), files_of(source),
                                    counts_of(source.object("read")),
                                    counts_of(source.object("kept")), source.integer("tokens")});
  }
  return stamp;
}

std::vector<PartFile> StageOutput::all_files() const {
  std::vector<PartFile> all = files;
  for (const StageSource& source : sources) {
    all.insert(all.end(), source.files.begin(), source.files.end());
  }
  return all;
}

std::uint64_t StageOutput::bytes() const {
  std::uint64_t sum = 0;
  for (const PartFile& file : all_files()) sum += file.bytes;
  return sum;
}

std::string missing_file(const StageOutput& output, const std::string& folder) {
  for (const PartFile& file : output.all_files()) {
    std::error_code absent;
    const std::string path = folder + "/" + file.path;
    if (fs::file_size(path, absent) != file.bytes) return path;
  }
  return {};
}

}  // namespace fathom::chain

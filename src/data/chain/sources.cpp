#include "data/chain/sources.h"

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "data/prepare_check.h"
#include "data/source_files.h"
#include "io/checksum.h"
#include "io/input_files.h"

namespace fathom::chain {
namespace {

namespace fs = std::filesystem;

std::string text_of(const InputFiles& found) {
  std::string text;
  for (const std::string& path : found.paths) {
    std::error_code error;
    const std::uintmax_t bytes = fs::is_regular_file(path, error) ? fs::file_size(path, error) : 0;
    const auto changed = fs::last_write_time(path, error).time_since_epoch().count();
    text += fmt::format("{}\n{} {}\n", path, bytes, changed);
  }
  return text;
}

std::vector<std::string> paths_of(const StageOutput& stage, const std::string& name,
                                  const std::string& folder) {
  std::vector<std::string> paths;
  const auto source = std::ranges::find(stage.sources, name, &StageSource::name);
  if (source == stage.sources.end()) return paths;
  for (const PartFile& file : source->files) paths.push_back(folder + "/" + file.path);
  return paths;
}

}  // namespace

std::string held_out_name(const std::string& source) {
  return source + ".held-out";
}

std::vector<std::string> source_names(const std::vector<SourceConfig>& sources, Stage stage) {
  std::vector<std::string> names;
  if (stage == Stage::tokenizer) return names;
  for (const SourceConfig& source : sources) {
    names.push_back(source.name);
    if (makes_text(stage) && !source.held_out_paths.empty()) {
      names.push_back(held_out_name(source.name));
    }
  }
  return names;
}

// Rows of JSON, Parquet and pages keep the source's field; of plain text they have "text".
std::string text_field_of(const TextSourceConfig& source) {
  const bool plain = source.content == TextContent::text &&
                     (source.format == TextFormat::text || source.format == TextFormat::lines ||
                      source.format == TextFormat::separated);
  return plain ? TextSourceConfig{}.field : source.field;
}

std::vector<TextSourceConfig> text_sources(const std::vector<SourceConfig>& sources,
                                           const std::string& output) {
  std::vector<TextSourceConfig> texts;
  for (const SourceConfig& source : sources) {
    TextSourceConfig& read = texts.emplace_back(source);
    if (source.held_out_paths.empty()) continue;
    SourceFiles files = find_source_files(source, output);
    read.paths = std::move(files.read);
    TextSourceConfig held_out = source;
    held_out.name = held_out_name(source.name);
    held_out.paths = std::move(files.held_out);
    texts.push_back(std::move(held_out));
  }
  return texts;
}

std::vector<std::string> training_files(const std::vector<SourceConfig>& sources,
                                        const std::string& output) {
  std::vector<std::string> files;
  for (const SourceConfig& source : sources) {
    const std::vector<std::string> read = find_source_files(source, output).read;
    files.insert(files.end(), read.begin(), read.end());
  }
  return files;
}

std::vector<SourceConfig> carried(std::vector<SourceConfig> sources, const StageOutput& stage,
                                  const std::string& folder) {
  for (SourceConfig& source : sources) {
    source.field = text_field_of(source);
    source.paths = paths_of(stage, source.name, folder);
    source.held_out_paths = paths_of(stage, held_out_name(source.name), folder);
    source.format = TextFormat::jsonl;
    source.content = TextContent::text;
    source.separator.clear();
  }
  return sources;
}

std::string text_of_files(const std::vector<std::string>& paths, std::string_view owner) {
  return paths.empty() ? "" : text_of(find_input_files(paths, owner));
}

SourcesOnDisk find_sources(const std::vector<SourceConfig>& sources, const std::string& output) {
  Checksum checksum;
  std::uint64_t bytes = 0;
  for (const SourceConfig& source : sources) {
    TextSourceConfig reading = source;
    reading.paths.clear();
    checksum.update(config_to_toml(reading));
    const std::string owner = "source '" + source.name + "'";
    for (const auto* paths : {&source.paths, &source.held_out_paths}) {
      if (paths == &source.held_out_paths && paths->empty()) continue;
      const InputFiles found = find_input_files(*paths, owner);
      check_apart(output, found, source.name);
      checksum.update(text_of(found) + "\n");
      bytes += total_bytes(found.paths);
    }
    if (!source.held_out_paths.empty()) find_source_files(source, output);
  }
  return {checksum_text(checksum.value()), bytes};
}

}  // namespace fathom::chain

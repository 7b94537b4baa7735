#include "data/clean/clean.h"

#include <filesystem>
#include <set>

#include "core/config.h"
#include "core/error.h"
#include "core/log.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "data/document_chunks.h"
#include "data/json_lines.h"
#include "data/parts.h"
#include "data/prepare_check.h"
#include "io/atomic_directory.h"
#include "io/atomic_file.h"
#include "io/checksum.h"
#include "io/json_object.h"
#include "io/zstd_frame.h"

namespace fathom::clean {
namespace {

namespace fs = std::filesystem;

void erase_text(std::string& text, std::string_view part) {
  if (const std::size_t at = text.find(part); at != std::string::npos) text.erase(at, part.size());
}

// The config without what the outputs do not depend on, and the benchmarks' sequences.
std::string stamp_of(CleanConfig config, const Contamination* benchmarks) {
  config.output.clear();
  config.threads = 0;
  config.sources.clear();
  std::string stamp = config_to_toml(config);
  // Outputs that are older than these keys do not name them.
  if (!config.repair_mojibake) erase_text(stamp, "repair_mojibake = false\n");
  const PersonalConfig& p = config.personal;
  if (!p.emails && !p.ip_addresses && !p.phones && !p.id_numbers) {
    erase_text(stamp, "\n[personal]\n" + config_to_toml(config.personal));
  }
  if (benchmarks) stamp += "# benchmarks " + checksum_text(benchmarks->checksum()) + "\n";
  return stamp;
}

// What decides about documents.
struct Judges {
  std::vector<Filter> filters;
  const Contamination* benchmarks;
};

struct CleanedChunk {
  std::string kept, dropped;  // packed lines
  Counts counts;
};

std::string with_language(const Document& document, const std::string& field,
                          const Cleaned& cleaned) {
  const bool named = document.metadata.find("\"language\"") != std::string::npos;
  const std::string added = named ? "" : "\"language\": " + json_quoted(cleaned.language);
  return cleaned.text == document.text ? json_line(document, added)
                                       : json_line_with_text(document, field, cleaned.text, added);
}

// What a sample shows: what is written of a kept document, and of a dropped one what was read, but
// for personal data.
std::string sample_of(const Document& document, const Cleaned& cleaned, const CleanConfig& config) {
  if (cleaned.reason == kept_reason) return cleaned.text;
  MaskedCounts not_counted{};
  return masked(document.text, config.personal, not_counted);
}

CleanedChunk clean_chunk(const DocumentChunk& chunk, const CleanConfig& config,
                         const TextSourceConfig& source, const Judges& judges) {
  CleanedChunk out{{}, {}, Counts(config.samples)};
  out.counts.add_read(chunk.counts);
  for (const Document& document : chunk.documents) {
    const Cleaned cleaned =
        clean_document(document.text, config, judges.filters, judges.benchmarks);
    out.counts.add(cleaned.language, cleaned.reason, document, cleaned.measure,
                   [&] { return sample_of(document, cleaned, config); });
    for (const std::string& task : cleaned.contaminations) ++out.counts.cut_passages[task];
    out.counts.add_edits(cleaned.text != document.text, cleaned.dropped_lines);
    out.counts.repairs += cleaned.repairs;
    out.counts.add_masked(cleaned.masked);
    if (cleaned.reason == kept_reason) {
      out.kept += with_language(document, source.field, cleaned);
    } else if (config.write_dropped) {
      out.dropped += json_line(document, fmt::format("\"reason\": \"{}\"", cleaned.reason));
    }
  }
  if (!out.kept.empty()) out.kept = zstd_frame(out.kept);
  if (!out.dropped.empty()) out.dropped = zstd_frame(out.dropped);
  return out;
}

// Where a part's outputs go.
struct PartPaths {
  PartPaths(const std::string& output, const std::string& name)
      : texts(output + "/texts/" + name + ".jsonl.zst"),
        dropped(output + "/dropped/" + name + ".jsonl.zst"),
        counts(output + "/parts/" + name + ".json") {}
  std::string texts, dropped, counts;
};

int threads_of(const CleanConfig& config) {
  return config.threads > 0 ? static_cast<int>(config.threads) : num_threads();
}

std::string reading_of(TextSourceConfig source) {
  std::string text = config_to_toml(source);
  // Outputs that are older than the key `content` do not name it.
  if (source.content == TextContent::text) erase_text(text, "content = \"text\"\n");
  return text;
}

// A checksum of the files' names and sizes, how they are read, and the config.
std::string part_stamp(const std::string& config_stamp, TextSourceConfig source,
                       const SourcePart& part) {
  source.paths.clear();
  Checksum checksum;
  checksum.update(config_stamp + reading_of(source));
  for (const PartFile& file : part.files) {
    checksum.update(fmt::format("{}\n{}\n", file.path, file.bytes));
  }
  return checksum_text(checksum.value());
}

struct PlannedPart {
  const TextSourceConfig* source;
  SourcePart part;
  std::string stamp;
  PartPaths paths;
  bool done;
};

void clean_part(const CleanConfig& config, const PlannedPart& planned, const Judges& judges,
                Progress& progress) {
  const PartPaths& paths = planned.paths;
  const TextSourceConfig& source = *planned.source;
  AtomicFile texts(paths.texts);
  std::optional<AtomicFile> dropped;
  if (config.write_dropped) dropped.emplace(paths.dropped);
  Counts counts(config.samples);
  for_each_chunk<CleanedChunk>(
      source, planned.part.paths(), threads_of(config), progress,
      [&](DocumentChunk&& chunk) { return clean_chunk(chunk, config, source, judges); },
      [&](CleanedChunk&& chunk) {
        texts.write(chunk.kept);
        if (dropped) dropped->write(chunk.dropped);
        counts.add(chunk.counts);
      });
  texts.commit();
  if (dropped) dropped->commit();
  write_file_atomically(paths.counts, counts.to_json(planned.stamp));
}

// Throws for an output of a part that is not planned: who reads the output would take it for one.
void check_planned(const CleanConfig& config, const std::vector<PlannedPart>& parts) {
  std::set<std::string> planned;
  for (const PlannedPart& part : parts) {
    planned.insert({part.paths.counts, part.paths.texts});
    if (config.write_dropped) planned.insert(part.paths.dropped);
  }
  for (const char* name : {"parts", "texts", "dropped"}) {
    std::error_code absent;
    for (const auto& entry : fs::directory_iterator(config.output + "/" + name, absent)) {
      if (planned.contains(entry.path())) continue;
      fail_input(
          "{}: is of a source or part that is not in the config; remove it, or choose another "
          "output",
          entry.path().string());
    }
  }
}

// `bytes`: of the parts that are to be cleaned.
void prepare_output(const CleanConfig& config, std::uint64_t bytes) {
  std::error_code error;
  if (fs::exists(config.output, error)) {
    static const std::set<std::string> own = {"texts", "dropped", "parts", "clean.json"};
    for (const auto& entry : fs::directory_iterator(config.output)) {
      const std::string name = entry.path().filename();
      if (own.contains(name) || name.starts_with('.')) continue;
      fail_input("output: {} holds '{}', which `fathom data clean` did not make; choose another",
                 config.output, name);
    }
  }
  require_free_disk(config.output, bytes, "the cleaned text");
  for (const char* name : {"texts", "dropped", "parts"}) {
    const std::string directory = config.output + "/" + name;
    remove_stale_temporaries(directory);  // also of a call that wrote what was dropped
    if (name == std::string_view("dropped") && !config.write_dropped) continue;
    fs::create_directories(directory, error);
    if (error) fail_input("{}: cannot create this directory: {}", directory, error.message());
  }
}

// Whether the part is done; throws when it was done with other files or another config.
bool is_done(const PartPaths& paths, const std::string& stamp) {
  std::error_code error;
  if (!fs::exists(paths.counts, error)) return false;
  if (JsonObject::load(paths.counts).text("config") == stamp) return true;
  fail_input(
      "{}: this part was cleaned with another config or from other files; choose another output, "
      "or remove this one to begin again",
      paths.counts);
}

void check_sequence_length(std::string_view key, std::int64_t length) {
  if (length >= 1 && length <= 1000) return;
  fail_input("contamination.{}: {} is not in [1, 1000]", key, length);
}

std::vector<PlannedPart> plan_parts(const CleanConfig& config, const std::string& config_stamp) {
  std::vector<PlannedPart> planned;
  for (const TextSourceConfig& source : config.sources) {
    for (SourcePart& part : parts_of(source, config.part_mb, config.output)) {
      const std::string name = part_name(source.name, part.number);
      const std::string stamp = part_stamp(config_stamp, source, part);
      planned.push_back({&source, std::move(part), stamp, PartPaths(config.output, name), false});
    }
  }
  return planned;
}

}  // namespace

void check_config(const CleanConfig& config) {
  if (config.output.empty()) fail_input("output: missing; name the directory to make");
  if (config.sources.empty()) fail_input("sources: missing; add at least one [[sources]] table");
  if (config.samples < 0 || config.samples > 10000) {
    fail_input("samples: {} is not in [0, 10000]", config.samples);
  }
  if (config.part_mb < 1 || config.part_mb > 1 << 24) {
    fail_input("part_mb: {} is not in [1, {}]", config.part_mb, 1 << 24);
  }
  if (config.threads < 0 || config.threads > 4096) {
    fail_input("threads: {} is not in [0, 4096]", config.threads);
  }
  check_sequence_length("words", config.contamination.words);
  check_sequence_length("characters", config.contamination.characters);
  std::set<std::string> names;
  for (const TextSourceConfig& source : config.sources) check_source_name(source.name, names);
  filters_of(config.filters);
}

CleanReport clean_data(const CleanConfig& config, const Contamination* benchmarks) {
  check_config(config);
  const Judges judges{filters_of(config.filters), benchmarks};
  const std::string config_stamp = stamp_of(config, benchmarks);
  std::vector<PlannedPart> parts = plan_parts(config, config_stamp);
  const DirectoryLock lock(config.output);
  std::uint64_t bytes = 0, bytes_to_clean = 0;
  for (PlannedPart& part : parts) {
    part.done = is_done(part.paths, part.stamp);
    bytes += part.part.bytes();
    if (!part.done) bytes_to_clean += part.part.bytes();
  }
  prepare_output(config, bytes_to_clean);
  check_planned(config, parts);
  CleanReport report;
  for (const TextSourceConfig& source : config.sources) {
    report.sources.emplace_back(source.name, Counts(config.samples));
  }
  Progress progress("cleaning", bytes, Progress::Unit::bytes);
  for (const PlannedPart& part : parts) {
    if (part.done) {
      progress.advance(part.part.bytes());
    } else {
      clean_part(config, part, judges, progress);
    }
    const auto source = static_cast<std::size_t>(part.source - config.sources.data());
    report.sources[source].second.add(Counts::load(part.paths.counts, config.samples));
  }
  progress.finish();
  Counts all(config.samples);
  for (const auto& [name, counts] : report.sources) all.add(counts);
  write_file_atomically(config.output + "/clean.json", all.to_json(config_stamp));
  return report;
}

CleanReport try_out(const CleanConfig& config, std::int64_t documents,
                    const Contamination* benchmarks) {
  check_config(config);
  const Judges judges{filters_of(config.filters), benchmarks};
  CleanReport report;
  for (const TextSourceConfig& source : config.sources) {
    std::vector<std::string> files;
    for (const SourcePart& part : parts_of(source, config.part_mb)) {
      for (const PartFile& file : part.files) files.push_back(file.path);
    }
    const DocumentOptions options = document_options(source);
    DocumentReader reader(std::move(files), options);
    std::int64_t left = documents;
    Counts counts(config.samples);
    run_ordered<std::vector<RawDocument>, CleanedChunk>(
        threads_of(config),
        [&](std::vector<RawDocument>& chunk) {
          for (RawDocument raw; left > 0 && chunk.size() < 64 && reader.next(raw); raw = {}) {
            chunk.push_back(std::move(raw));
            --left;
          }
          return !chunk.empty();
        },
        [&](std::vector<RawDocument>&& chunk) {
          return clean_chunk(detail::read_documents_of(std::move(chunk), options), config, source,
                             judges);
        },
        [&](CleanedChunk&& chunk) { counts.add(chunk.counts); });
    report.sources.emplace_back(source.name, std::move(counts));
  }
  return report;
}

}  // namespace fathom::clean

#include "data/clean/clean.h"

#include <filesystem>
#include <set>

#include "core/config.h"
#include "core/error.h"
#include "core/log.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "data/clean/chunk.h"
#include "data/clean/keep_share.h"
#include "data/parts.h"
#include "data/prepare_check.h"
#include "data/sharing.h"
#include "io/atomic_directory.h"
#include "io/atomic_file.h"
#include "io/checksum.h"
#include "io/file_lock.h"
#include "io/json_object.h"

namespace fathom::clean {
namespace {

namespace fs = std::filesystem;

constexpr const char* joining = "clean.json";  // the name of what is left when all parts are made

void erase_text(std::string& text, std::string_view part) {
  if (const std::size_t at = text.find(part); at != std::string::npos) text.erase(at, part.size());
}

// Takes a table out that outputs which are older than its keys do not name.
template <class Table>
void erase_default(std::string& stamp, std::string_view name, Table& table) {
  Table untouched;
  const std::string text = config_to_toml(table);
  if (text == config_to_toml(untouched)) erase_text(stamp, fmt::format("\n[{}]\n{}", name, text));
}

// The config without what the outputs do not depend on, and the benchmarks' sequences. Models are
// named by what they hold.
std::string stamp_of(CleanConfig config, const Judges& judges) {
  config.output.clear();
  config.threads = 0;
  config.sources.clear();
  for (std::size_t i = 0; i < config.classifiers.size(); ++i) {
    config.classifiers[i].model = checksum_text(judges.classifiers[i].classifier.checksum());
    config.classifiers[i].keep.reset();  // it has become `min`
  }
  if (judges.scorer) config.perplexity.model = judges.scorer->identity();
  std::string stamp = config_to_toml(config);
  // Outputs that are older than these keys do not name them.
  if (!config.repair_mojibake) erase_text(stamp, "repair_mojibake = false\n");
  erase_default(stamp, "personal", config.personal);
  erase_default(stamp, "perplexity", config.perplexity);
  erase_default(stamp, "buckets", config.buckets);
  if (judges.benchmarks) {
    stamp += "# benchmarks " + checksum_text(judges.benchmarks->checksum()) + "\n";
  }
  return stamp;
}

// Where a part's outputs go.
struct PartPaths {
  PartPaths(const CleanConfig& config, const std::string& name)
      : dropped(config.output + "/dropped/" + name + ".jsonl.zst"),
        counts(config.output + "/parts/" + name + ".json") {
    for (const std::string& bucket : bucket_names(config.buckets)) {
      const std::string file = bucket.empty() ? name : name + "." + bucket;
      texts.push_back(config.output + "/texts/" + file + ".jsonl.zst");
    }
  }
  std::vector<std::string> texts;  // by bucket
  std::string dropped, counts;
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
  std::string name, stamp;
  PartPaths paths;
};

// What killed processes left of this part, which is ours.
void remove_unfinished(const PartPaths& paths) {
  for (const std::string& path : paths.texts) remove_stale_temporaries_of(path);
  remove_stale_temporaries_of(paths.dropped);
  remove_stale_temporaries_of(paths.counts);
}

void clean_part(const CleanConfig& config, const PlannedPart& planned, const Judges& judges,
                Progress& progress) {
  const PartPaths& paths = planned.paths;
  remove_unfinished(paths);
  const TextSourceConfig& source = *planned.source;
  std::vector<AtomicFile> texts;
  for (const std::string& path : paths.texts) texts.emplace_back(path);
  std::optional<AtomicFile> dropped;
  if (config.write_dropped) dropped.emplace(paths.dropped);
  Counts counts(config.samples);
  const ChunkCleaner cleaner(config, source, judges);
  for_each_chunk<ChunkCleaner::Judged>(
      source, planned.part.paths(), threads_of(config), progress,
      [&](DocumentChunk&& chunk) { return cleaner.judge(std::move(chunk)); },
      [&](ChunkCleaner::Judged&& judged) {
        const CleanedChunk chunk = cleaner.finish(std::move(judged));
        for (std::size_t i = 0; i < texts.size(); ++i) texts[i].write(chunk.kept[i]);
        if (dropped) dropped->write(chunk.dropped);
        counts.add(chunk.counts);
      });
  for (AtomicFile& file : texts) file.commit();
  if (dropped) dropped->commit();
  write_file_atomically(paths.counts, counts.to_json(planned.stamp));
}

// Throws for an output of a part that is not planned: who reads the output would take it for one.
void check_planned(const CleanConfig& config, const std::vector<PlannedPart>& parts) {
  std::set<std::string> planned;
  for (const PlannedPart& part : parts) {
    planned.insert(part.paths.counts);
    planned.insert(part.paths.texts.begin(), part.paths.texts.end());
    if (config.write_dropped) planned.insert(part.paths.dropped);
  }
  for (const char* name : {"parts", "texts", "dropped"}) {
    std::error_code absent;
    for (const auto& entry : fs::directory_iterator(config.output + "/" + name, absent)) {
      if (planned.contains(entry.path()) || is_temporary(entry.path().filename().string()))
        continue;
      fail_input(
          "{}: is of a source or part that is not in the config; remove it, or choose another "
          "output",
          entry.path().string());
    }
  }
}

// `bytes`: of the parts that are to be cleaned.
void prepare_output(const CleanConfig& config, std::uint64_t bytes, Role role) {
  std::error_code error;
  if (fs::exists(config.output, error)) {
    static const std::set<std::string> own = {"texts", "dropped", "parts", "clean.json"};
    for (const auto& entry : fs::directory_iterator(config.output)) {
      const std::string name = entry.path().filename();
      if (own.contains(name) || name.starts_with('.')) continue;
      if (is_temporary(name) && name.starts_with("clean.json")) continue;
      fail_input("output: {} holds '{}', which `fathom data clean` did not make; choose another",
                 config.output, name);
    }
  }
  // A helper's rank 0 has checked; what others have begun since is in the way of no one.
  if (role != Role::helper) require_free_disk(config.output, bytes, "the cleaned text");
  for (const char* name : {"texts", "dropped", "parts"}) {
    const std::string directory = config.output + "/" + name;
    // Also of a call that wrote what was dropped. Those of other processes are their own.
    if (role == Role::alone) remove_stale_temporaries(directory);
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
      planned.push_back({&source, std::move(part), name, stamp, PartPaths(config, name)});
    }
  }
  return planned;
}

std::uint64_t bytes_to_clean(const std::vector<PlannedPart>& parts) {
  std::uint64_t bytes = 0;
  for (const PlannedPart& part : parts) {
    if (!is_done(part.paths, part.stamp)) bytes += part.part.bytes();
  }
  return bytes;
}

void clean_parts(const CleanConfig& config, const std::vector<PlannedPart>& parts,
                 const Judges& judges, Role role) {
  std::uint64_t bytes = 0;
  for (const PlannedPart& part : parts) bytes += part.part.bytes();
  Progress progress("cleaning", bytes, Progress::Unit::bytes);
  const PartWork work{
      .parts = parts.size(),
      .name = [&](std::size_t i) { return parts[i].name; },
      .is_made = [&](std::size_t i) { return is_done(parts[i].paths, parts[i].stamp); },
      .make = [&](std::size_t i) { clean_part(config, parts[i], judges, progress); },
      .found_made = [&](std::size_t i) { progress.advance(parts[i].part.bytes()); }};
  make_parts(work, config.output, config.output + "/parts", role);
  progress.finish();
}

// The counts of all parts, which have been made; and OUTPUT/clean.json.
CleanReport join_counts(const CleanConfig& config, const std::vector<PlannedPart>& parts,
                        const std::string& config_stamp, Role role) {
  CleanReport report;
  for (const TextSourceConfig& source : config.sources) {
    report.sources.emplace_back(source.name, Counts(config.samples));
  }
  for (const PlannedPart& part : parts) {
    const auto source = static_cast<std::size_t>(part.source - config.sources.data());
    report.sources[source].second.add(Counts::load(part.paths.counts, config.samples));
  }
  Counts all(config.samples);
  for (const auto& [name, counts] : report.sources) all.add(counts);
  const auto claim = wait_for_claim(config.output, joining, role);
  const std::string path = config.output + "/clean.json";
  remove_stale_temporaries_of(path);
  write_file_atomically(path, all.to_json(config_stamp));
  return report;
}

// The bounds that were measured stand in the place of the shares.
CleanConfig with_bounds(CleanConfig config) {
  for (ClassifierConfig& classifier : config.classifiers) classifier.keep.reset();
  return config;
}

Judges judges_of(const CleanConfig& config, const Contamination* benchmarks, TextScorer* scorer) {
  check_config(config);
  require(config.perplexity.model.empty() == (scorer == nullptr),
          "perplexity.model and its scorer do not come together");
  return {filters_of(config.filters), benchmarks, load_classifiers(config.classifiers), scorer};
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
  check_scores(config.classifiers, config.perplexity, config.buckets);
  for (const TextSourceConfig& source : config.sources) {
    if (std::ranges::count(config.classifiers, source.field, &ClassifierConfig::name) == 0) continue;
    fail_input("classifiers: '{}' is the field of source '{}': use another name", source.field,
               source.name);
  }
}

OwnFiles clean_files(std::span<const std::string> sources) {
  OwnFiles files = {".lock", "clean.json", "clean.json.tmp-*", claim_file(joining),
                    "parts/.look.tmp-*", "texts/.look.tmp-*"};
  for (const std::string& part : part_patterns(sources)) {
    for (const std::string& file : {"parts/" + part + ".json", "texts/" + part + ".jsonl.zst",
                                    "dropped/" + part + ".jsonl.zst"}) {
      files.insert(files.end(), {file, file + ".tmp-*"});
    }
    files.push_back(claim_file(part));
  }
  return files;
}

CleanReport clean_data(const CleanConfig& given, const Contamination* benchmarks,
                       TextScorer* scorer, const Sharing<CleanConfig>& sharing) {
  CleanConfig config = given;
  Judges judges = judges_of(config, benchmarks, scorer);
  // Refuses an output that lies where a source is read, before bounds are measured.
  for (const TextSourceConfig& source : config.sources) {
    parts_of(source, config.part_mb, config.output);
  }
  set_bounds(config, judges, threads_of(config));
  const std::string config_stamp = stamp_of(config, judges);
  const std::vector<PlannedPart> parts = plan_parts(config, config_stamp);
  const DirectoryLock lock(config.output, lock_use(sharing.role));
  prepare_output(config, bytes_to_clean(parts), sharing.role);
  check_planned(config, parts);
  if (sharing.begun) sharing.begun(with_bounds(config));
  clean_parts(config, parts, judges, sharing.role);
  if (sharing.role == Role::helper) return {};
  if (sharing.role == Role::member) see_files_of_other_hosts(config.output + "/texts");
  return join_counts(config, parts, config_stamp, sharing.role);
}

CleanReport try_out(const CleanConfig& given, std::int64_t documents,
                    const Contamination* benchmarks, TextScorer* scorer) {
  CleanConfig config = given;
  Judges judges = judges_of(config, benchmarks, scorer);
  set_bounds(config, judges, threads_of(config), documents);
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
    const ChunkCleaner cleaner(config, source, judges);
    run_ordered<std::vector<RawDocument>, ChunkCleaner::Judged>(
        threads_of(config),
        [&](std::vector<RawDocument>& chunk) {
          for (RawDocument raw; left > 0 && chunk.size() < 64 && reader.next(raw); raw = {}) {
            chunk.push_back(std::move(raw));
            --left;
          }
          return !chunk.empty();
        },
        [&](std::vector<RawDocument>&& chunk) {
          return cleaner.judge(detail::read_documents_of(std::move(chunk), options));
        },
        [&](ChunkCleaner::Judged&& judged) {
          counts.add(cleaner.finish(std::move(judged)).counts);
        },
        detail::bytes_of, detail::max_chunk_bytes(threads_of(config)));
    report.sources.emplace_back(source.name, std::move(counts));
  }
  return report;
}

}  // namespace fathom::clean

#include "data/dedup/dedup.h"

#include <bit>
#include <filesystem>
#include <optional>
#include <set>

#include "core/error.h"
#include "core/log.h"
#include "core/num_threads_scope.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "data/dedup/output.h"
#include "data/prepare_check.h"
#include "io/atomic_directory.h"
#include "io/atomic_file.h"
#include "io/file_lock.h"

namespace fathom::dedup {
namespace {

namespace fs = std::filesystem;

void require_range(std::string_view key, double value, double low, double high) {
  if (value >= low && value <= high) return;
  fail_input("{}: {} is not in [{}, {}]", key, value, low, high);
}

void check_minhash(const MinHashConfig& c) {
  require_range("minhash.threshold", c.threshold, 0.01, 1);
  require_range("minhash.recall", c.recall, 0.01, 0.9999);
  require_range("minhash.permutations", static_cast<double>(c.permutations), 1, 65536);
  require_range("minhash.words", static_cast<double>(c.words), 1, 1000);
  require_range("minhash.characters", static_cast<double>(c.characters), 1, 1000);
  require_range("minhash.verify_shingles", static_cast<double>(c.verify_shingles), 16, 1 << 20);
  if ((c.bands == 0) != (c.rows == 0)) fail_input("minhash.bands and minhash.rows: give both");
  require_range("minhash.bands", static_cast<double>(c.bands), 0, 65536);
  require_range("minhash.rows", static_cast<double>(c.rows), 0, 65536);
  choose_banding(c);
}

// The output holds nothing, or what an earlier call left.
void check_output(const std::string& output) {
  std::error_code error;
  if (!fs::exists(output, error)) return;
  if (!fs::is_directory(output, error)) fail_input("output: {} is not a directory", output);
  for (const auto& entry : fs::directory_iterator(output)) {
    const std::string name = entry.path().filename();
    if (name == "texts" || name == "copies" || name == "cuts" || name == "index" ||
        name == "dedup.json" || name.starts_with('.') ||
        (is_temporary(name) && name.starts_with("dedup.json"))) {
      continue;
    }
    fail_input("output: {} holds '{}', which `fathom data dedup` did not make; choose another",
               output, name);
  }
}

// The directory holds an index, or nothing: files of others are neither read nor removed.
void check_index(const std::string& directory) {
  std::error_code error;
  if (!fs::exists(directory, error)) return;
  if (!fs::is_directory(directory, error)) fail_input("index: {} is not a directory", directory);
  std::string other;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    if (name == "index.json" || name == "segments") return;  // which another process may just make
    if (!name.starts_with('.')) other = name;
  }
  if (other.empty()) return;
  fail_input("index: {} holds '{}', and no index of `fathom data dedup`; choose another", directory,
             other);
}

// A directory for sorted runs, empty at the beginning and removed at the end.
class ScratchDirectory {
 public:
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void require_texts(std::string_view key, const DedupConfig& config) {
  if (config.write_texts) return;
  fail_input("{} takes parts out of texts; it needs write_texts = true", key);
}

void check_passages(std::string_view table, const PassageConfig& c, const DedupConfig& config) {
  const auto key = [&](std::string_view name) { return fmt::format("{}.{}", table, name); };
  constexpr std::int64_t most_held = 1'000'000;  // of a repeated passage, until it is known as such
  require_range(key("more_than"), static_cast<double>(c.more_than), 1, most_held);
  require_range(key("keep"), static_cast<double>(c.keep), 0, static_cast<double>(c.more_than));
  require_range(key("min_bytes"), static_cast<double>(c.min_bytes), 1, 1 << 30);
  if (c.enabled) require_texts(key("enabled"), config);
}

void check_substrings(const DedupConfig& config) {
  require_range("substrings.tokens", static_cast<double>(config.substrings.tokens), 2, 1 << 20);
  if (config.substrings.enabled) require_texts("substrings.enabled", config);
}

void print_plan(const MinHashConfig& config) {
  if (!config.enabled) return;
  const Banding banding = choose_banding(config);
  std::string text;
  for (const double s : {0.5, 0.6, 0.7, 0.8, 0.9}) {
    text += fmt::format("{}{:.1f} with {:.3g}", text.empty() ? "" : ", ", s,
                        candidate_probability(s, banding));
  }
  log::info("minhash: {} bands of {} rows find pairs of similarity {}", banding.bands, banding.rows,
            text);
}

void count_clusters(const Clusters& clusters, DedupReport& report) {
  std::vector<std::uint32_t> sizes(clusters.kept.size(), 0);
  for (const std::uint32_t kept : clusters.kept) ++sizes[kept];
  for (const std::uint64_t size : sizes) {
    if (size == 0) continue;
    const auto power = static_cast<std::size_t>(std::bit_width(size) - 1);
    if (report.cluster_sizes.size() <= power) report.cluster_sizes.resize(power + 1);
    ++report.cluster_sizes[power];
    report.largest_cluster = std::max(report.largest_cluster, size);
  }
}

DedupReport report_of(const Index& index, const Clusters& clusters) {
  DedupReport report;
  report.candidates = clusters.candidates;
  report.verified = clusters.verified;
  for (std::size_t i = 0; i < index.sources.size(); ++i) {
    report.sources.push_back({index.sources[i], {}, {}, 0, 0, clusters.first_sources[i]});
  }
  DocumentCounts counts;
  for (const IndexedSegment& segment : index.segments) counts.add(segment.segment->info().counts);
  if (counts.empty_documents > 0) {
    report.notes.push_back(fmt::format("{} empty documents are left out", counts.empty_documents));
  }
  for (const std::string& line : lines_about(counts)) report.notes.push_back(line);
  count_clusters(clusters, report);
  return report;
}

double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

std::string cuts_table(const DedupReport& report) {
  std::string text =
      fmt::format("{:<20} {:>12} {:>10} {:>13} {:>10} {:>10} {:>12} {:>8}\n", "of what stays",
                  "cut", "left empty", "lost too much", "lines", "paragraphs", "tokens", "% bytes");
  const auto add_row = [&](const std::string& name, const CutCounts& cuts, std::uint64_t bytes) {
    text += fmt::format("{:<20} {:>12} {:>10} {:>13} {:>10} {:>10} {:>12} {:>8.2f}\n", name,
                        cuts.cut, cuts.left_empty, cuts.lost_too_much, cuts.lines, cuts.paragraphs,
                        cuts.tokens, percent(cuts.bytes, bytes));
  };
  CutCounts all;
  std::uint64_t bytes = 0;
  for (const SourceReport& source : report.sources) {
    add_row(source.name, source.cuts, source.kept_bytes + source.cuts.bytes);
    all.add(source.cuts);
    bytes += source.kept_bytes + source.cuts.bytes;
  }
  add_row("all", all, bytes);
  return text;
}

}  // namespace

void check_config(const DedupConfig& config) {
  if (config.output.empty()) fail_input("output: missing; name the directory to make");
  if (config.sources.empty()) fail_input("sources: missing; add at least one [[sources]] table");
  require_range("part_mb", static_cast<double>(config.part_mb), 1, 1 << 24);
  require_range("memory_mb", static_cast<double>(config.memory_mb), 64, 1 << 24);
  require_range("threads", static_cast<double>(config.threads), 0, 4096);
  require_range("max_lost", config.max_lost, 0, 1);
  check_minhash(config.minhash);
  check_passages("lines", config.lines, config);
  check_passages("paragraphs", config.paragraphs, config);
  check_substrings(config);
  if (config.exact == Exact::off && !config.minhash.enabled && !cuts_documents(config)) {
    fail_input("exact = \"off\" and minhash.enabled = false leave nothing to find");
  }
  std::set<std::string> names;
  for (const TextSourceConfig& source : config.sources) check_source_name(source.name, names);
  if (config.sources.size() > 65535) fail_input("sources: more than 65535");
}

OwnFiles dedup_files(std::span<const std::string> sources) {
  OwnFiles files = {".lock",
                    "dedup.json",
                    "dedup.json.tmp-*",
                    "index/.lock",
                    "index/index.json",
                    "index/index.json.tmp-*",
                    "index/.dedup-scratch/*",
                    "index/segments/.look.tmp-*",
                    claim_file(rest_claim),
                    "index/" + claim_file(rest_claim)};
  for (const std::string& part : part_patterns(sources)) {
    for (const char* name :
         {"segment.json", "documents", "sketches", "bands", "lines", "paragraphs"}) {
      files.push_back(fmt::format("index/segments/{}/{}", part, name));
    }
    files.push_back(fmt::format("index/segments/{}.tmp-*/*", part));
    files.push_back("index/" + claim_file(part));
    for (const char* kind : {"texts", "copies", "cuts"}) {
      files.insert(files.end(), {fmt::format("{}/{}.jsonl.zst", kind, part),
                                 fmt::format("{}/{}.jsonl.zst.tmp-*", kind, part),
                                 fmt::format(".{}-stamps/{}", kind, part),
                                 fmt::format(".{}-stamps/{}.tmp-*", kind, part)});
    }
  }
  return files;
}

DedupReport deduplicate(const DedupConfig& config, const Sharing<DedupConfig>& sharing) {
  check_config(config);
  check_output(config.output);
  const std::string directory = config.index.empty() ? config.output + "/index" : config.index;
  check_index(directory);
  std::optional<NumThreadsScope> threads;
  if (config.threads > 0) threads.emplace(static_cast<int>(config.threads));
  const DirectoryLock output_lock(config.output, lock_use(sharing.role));
  const DirectoryLock index_lock(directory, lock_use(sharing.role));
  const auto output_claim = claim_rest(config.output, sharing.role);
  const auto index_claim = claim_rest(directory, sharing.role);
  print_plan(config.minhash);
  const Index index = build_index(config, directory, sharing);
  if (sharing.role == Role::helper) return {};
  const ScratchDirectory scratch(directory + "/.dedup-scratch");
  log::info("finding copies among {} documents", index.documents);
  const Clusters clusters = find_clusters(index, config, scratch.path());
  DedupReport report = report_of(index, clusters);
  report.has_cuts = cuts_documents(config);
  // find_clusters() has checked that memory is left.
  const std::size_t sort_bytes =
      (static_cast<std::size_t>(config.memory_mb) << 20) - cluster_memory(index.documents);
  write_outputs(index, clusters, config, {scratch.path(), sort_bytes}, report);
  remove_stale_temporaries_of(config.output + "/dedup.json");
  write_file_atomically(config.output + "/dedup.json", to_json(report));
  return report;
}

std::string summary(const DedupReport& report) {
  std::string text =
      fmt::format("{:<20} {:>12} {:>10} {:>10} {:>8} {:>8}   {}\n", "source", "documents", "exact",
                  "near", "% gone", "% bytes", "% gone of this and all before");
  RemovedCounts all;
  for (const SourceReport& source : report.sources) {
    const RemovedCounts &own = source.removed, &within = source.within_first;
    text += fmt::format("{:<20} {:>12} {:>10} {:>10} {:>8.2f} {:>8.2f}   {:.2f}\n", source.name,
                        own.documents, own.exact, own.near,
                        percent(own.exact + own.near, own.documents),
                        percent(source.bytes - source.kept_bytes, source.bytes),
                        percent(within.exact + within.near, within.documents));
    all.documents += own.documents;
    all.exact += own.exact;
    all.near += own.near;
  }
  text += fmt::format("{:<20} {:>12} {:>10} {:>10} {:>8.2f}\n", "all", all.documents, all.exact,
                      all.near, percent(all.exact + all.near, all.documents));
  if (report.has_cuts) text += cuts_table(report);
  text += fmt::format("{} pairs compared, {} of them copies; clusters by size:", report.candidates,
                      report.verified);
  for (std::size_t i = 0; i < report.cluster_sizes.size(); ++i) {
    if (report.cluster_sizes[i] == 0) continue;
    text +=
        fmt::format(" {}{} {},", std::uint64_t{1} << i, i == 0 ? "" : "+", report.cluster_sizes[i]);
  }
  text += fmt::format(" largest {}\n", report.largest_cluster);
  for (const std::string& note : report.notes) text += note + "\n";
  return text;
}

}  // namespace fathom::dedup

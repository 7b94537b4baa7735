// Documents to the records of a segment.
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>

#include "core/error.h"
#include "core/parallel.h"
#include "data/dedup/external_sorter.h"
#include "data/dedup/passages.h"
#include "data/dedup/segment.h"
#include "data/dedup/segment_json.h"
#include "data/dedup/shingles.h"
#include "data/document_chunks.h"
#include "io/atomic_directory.h"
#include "io/json_object.h"
#include "text/characters.h"

namespace fathom::dedup {
namespace {

// The records of a chunk's documents. Numbers of documents and places in `sketches` count from
// the chunk's first.
struct ChunkRecords {
  std::vector<DocumentRecord> documents;
  std::vector<BandRecord> bands;
  std::vector<std::uint32_t> sketches;
  std::array<std::vector<PassageRecord>, 2> passages;  // by PassageLevel
  std::vector<std::string> files;                      // of the documents
  DocumentCounts counts;
};

double quality_of(const Document& document, const std::string& field) {
  if (document.metadata.empty()) {
    fail_input(
        "{}: text has no field '{}', which keep = \"best\" needs; give JSON lines or Parquet",
        document.source, field);
  }
  const JsonObject row = JsonObject::parse(document.metadata, document.source);
  const double quality = row.number(field);
  if (std::isnan(quality)) fail_input("{}: {} is not a number", document.source, field);
  return quality;
}

// Ascending with the number, as an unsigned integer.
std::uint64_t ordered_bits(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  return bits >> 63 ? ~bits : bits | std::uint64_t{1} << 63;
}

// The part of the preference that the document alone decides; the smallest stays.
std::uint64_t preference_of(const Document& document, const DedupConfig& config) {
  switch (config.keep) {
    case Keep::longest:
      return ~static_cast<std::uint64_t>(document.text.size());
    case Keep::best:
      return ~ordered_bits(quality_of(document, config.quality_field));
    case Keep::first:
    case Keep::last:
      break;
  }
  return 0;
}

// What one thread needs to make records.
struct Workspace {
  explicit Workspace(const DedupConfig& config, Banding banding_of_config)
      : banding(banding_of_config),
        shingler({config.minhash.words, config.minhash.characters}),
        minima(static_cast<std::size_t>(banding.bands * banding.rows)),
        keys(static_cast<std::size_t>(banding.bands)) {}

  Banding banding;
  Shingler shingler;
  std::string folded;
  std::vector<std::uint32_t> minima;
  std::vector<std::uint64_t> keys;
  TextPassages passages;
};

// Workspaces for as many threads as ask at once.
class Workspaces {
 public:
  Workspaces(const DedupConfig& config, Banding banding) : config_(config), banding_(banding) {}

  template <class F>
  auto with_one(F&& f) {
    std::unique_ptr<Workspace> workspace = take();
    auto result = f(*workspace);
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(workspace));
    return result;
  }

 private:
  std::unique_ptr<Workspace> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<Workspace>(config_, banding_);
    std::unique_ptr<Workspace> workspace = std::move(free_.back());
    free_.pop_back();
    return workspace;
  }

  const DedupConfig& config_;
  Banding banding_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace>> free_;
};

void add_minhash(ChunkRecords& out, DocumentRecord& record, Workspace& w, const MinHasher& hasher,
                 const MinHashConfig& config) {
  const std::vector<std::uint32_t>& shingles = w.shingler.shingles(w.folded);
  if (shingles.empty()) return;
  hasher.minima(shingles, w.minima);
  band_keys(w.minima, w.banding, w.keys);
  const auto number = static_cast<std::uint32_t>(out.documents.size());
  for (const std::uint64_t key : w.keys) out.bands.push_back({key, number});
  const std::size_t kept =
      std::min(shingles.size(), static_cast<std::size_t>(config.verify_shingles));
  record.hashes = static_cast<std::uint32_t>(kept);
  record.whole = kept == shingles.size();
  out.sketches.insert(out.sketches.end(), shingles.begin(),
                      shingles.begin() + static_cast<std::ptrdiff_t>(kept));
}

void add_passages(ChunkRecords& out, const std::string& text, Workspace& w,
                  const DedupConfig& config) {
  if (!config.lines.enabled && !config.paragraphs.enabled) return;
  find_passages(text, w.passages);
  const auto number = static_cast<std::uint32_t>(out.documents.size());
  for (const PassageLevel level : passage_levels) {
    if (!config_of(config, level).enabled) continue;
    for (const Passage& passage : w.passages.of(level)) {
      if (passage.bytes < config_of(config, level).min_bytes) continue;
      out.passages[index_of(level)].push_back({passage.key, number, passage.number});
    }
  }
}

// "file:line" apart.
std::pair<std::string_view, std::uint32_t> split_place(std::string_view place) {
  const std::size_t colon = place.rfind(':');
  std::uint64_t line = 0;
  std::from_chars(place.data() + colon + 1, place.data() + place.size(), line);
  return {place.substr(0, colon), static_cast<std::uint32_t>(std::min<std::uint64_t>(
                                      line, std::numeric_limits<std::uint32_t>::max()))};
}

ChunkRecords records_of(const DocumentChunk& chunk, Workspace& w, const MinHasher& hasher,
                        const DedupConfig& config) {
  ChunkRecords out;
  out.counts = chunk.counts;
  for (const Document& document : chunk.documents) {
    fold_text(document.text, w.folded);
    const auto [file, line] = split_place(document.source);
    if (out.files.empty() || out.files.back() != file) out.files.emplace_back(file);
    DocumentRecord record{.exact = wide_checksum_of(w.folded),
                          .preference = preference_of(document, config),
                          .sketch = out.sketches.size(),
                          .hashes = 0,
                          .whole = 1,
                          .text_bytes = document.text.size(),
                          .file = static_cast<std::uint32_t>(out.files.size() - 1),
                          .line = line};
    if (config.minhash.enabled) add_minhash(out, record, w, hasher, config.minhash);
    add_passages(out, document.text, w, config);
    out.documents.push_back(record);
  }
  return out;
}

// Numbers the documents of chunks through, and writes them.
class SegmentWriter {
 public:
  SegmentWriter(std::string directory, SegmentInfo& info, const DedupConfig& config)
      : info_(info),
        directory_(std::move(directory)),
        documents_(directory_ + "/documents"),
        sketches_(directory_ + "/sketches"),
        bands_(directory_ + "/run-", sort_bytes(config)) {
    for (const PassageLevel level : passage_levels) {
      if (!config_of(config, level).enabled) continue;
      passages_[index_of(level)] = std::make_unique<ExternalSorter<PassageRecord>>(
          fmt::format("{}/{}-run-", directory_, file_name(level)), sort_bytes(config));
    }
    for (std::size_t i = 0; i < info.files.size(); ++i) {
      files_[info.files[i].path] = static_cast<std::uint32_t>(i);
    }
  }

  void add(ChunkRecords&& chunk) {
    if (info_.documents + chunk.documents.size() > std::numeric_limits<std::uint32_t>::max()) {
      fail_input("source '{}': more than 2^32 documents in part {}; set part_mb lower",
                 info_.source, info_.part);
    }
    for (DocumentRecord record : chunk.documents) {
      record.sketch += hashes_;
      record.file = files_.at(chunk.files[record.file]);
      info_.text_bytes += record.text_bytes;
      write_record(documents_, record);
    }
    for (BandRecord record : chunk.bands) {
      record.document += static_cast<std::uint32_t>(info_.documents);
      bands_.add(record);
    }
    for (const PassageLevel level : passage_levels) {
      for (PassageRecord record : chunk.passages[index_of(level)]) {
        record.document += static_cast<std::uint32_t>(info_.documents);
        passages_[index_of(level)]->add(record);
      }
    }
    sketches_.write(std::as_bytes(std::span(chunk.sketches)));
    hashes_ += chunk.sketches.size();
    info_.documents += chunk.documents.size();
    info_.counts.add(chunk.counts);
  }

  void finish() {
    write_sorted(bands_, "bands");
    for (const PassageLevel level : passage_levels) {
      if (auto& sorter = passages_[index_of(level)]) write_sorted(*sorter, file_name(level));
    }
    documents_.close();
    sketches_.close();
  }

 private:
  // Half of the memory sorts: the bands, and the passages of each level.
  static std::size_t sort_bytes(const DedupConfig& config) {
    const int sorters = 1 + config.lines.enabled + config.paragraphs.enabled;
    return (static_cast<std::size_t>(config.memory_mb) << 20) / 2 /
           static_cast<std::size_t>(sorters);
  }

  template <class Record>
  void write_sorted(ExternalSorter<Record>& sorter, std::string_view name) {
    FileWriter file(fmt::format("{}/{}", directory_, name));
    sorter.drain([&](const Record& record) { write_record(file, record); });
    file.close();
  }

  SegmentInfo& info_;
  std::string directory_;
  FileWriter documents_, sketches_;
  ExternalSorter<BandRecord> bands_;
  std::array<std::unique_ptr<ExternalSorter<PassageRecord>>, 2> passages_;  // by level, or null
  std::map<std::string, std::uint32_t, std::less<>> files_;
  std::uint64_t hashes_ = 0;
};

}  // namespace

void build_segment(const std::string& directory, SegmentInfo info, const TextSourceConfig& source,
                   const DedupConfig& config, Progress& progress) {
  const Banding banding = choose_banding(config.minhash);
  const MinHasher hasher(banding.bands * banding.rows,
                         static_cast<std::uint64_t>(config.minhash.seed));
  Workspaces workspaces(config, banding);
  AtomicDirectory output(directory);
  SegmentWriter writer(output.temporary(), info, config);
  std::vector<std::string> paths;
  for (const PartFile& file : info.files) paths.push_back(file.path);
  const int threads = config.threads > 0 ? static_cast<int>(config.threads) : num_threads();
  for_each_chunk<ChunkRecords>(
      source, paths, threads, progress,
      [&](DocumentChunk&& chunk) {
        return workspaces.with_one(
            [&](Workspace& w) { return records_of(chunk, w, hasher, config); });
      },
      [&](ChunkRecords&& chunk) { writer.add(std::move(chunk)); });
  writer.finish();
  write_file_atomically(output.file("segment.json"), to_json(info));
  output.commit();
}

}  // namespace fathom::dedup

#include "data/dedup/output.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "data/dedup/record_file.h"
#include "data/document_chunks.h"
#include "data/json_lines.h"
#include "io/atomic_directory.h"
#include "io/atomic_file.h"
#include "io/checksum.h"
#include "io/json_object.h"
#include "io/zstd_frame.h"

namespace fathom::dedup {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view suffix = ".jsonl.zst";

// A checksum of what the outputs depend on besides the texts.
std::string decisions_of(const Index& index, const Clusters& clusters) {
  Checksum checksum;
  checksum.update(std::as_bytes(std::span(clusters.kept)));
  checksum.update(std::as_bytes(std::span(clusters.fates)));
  for (const IndexedSegment& segment : index.segments) {
    checksum.update(to_string(nlohmann::json(segment.segment->info().source)));
  }
  return checksum_text(checksum.value());
}

// Makes the directory of outputs, and empties it of those of other decisions.
void prepare_directory(const std::string& output, const std::string& name,
                       const std::string& decisions) {
  const std::string directory = output + "/" + name, stamp = output + "/." + name + "-decisions";
  fs::create_directories(directory);
  remove_stale_temporaries(directory);
  std::error_code error;
  if (fs::exists(stamp, error) &&
      JsonObject::load(stamp).find_text("decisions").value_or("") == decisions) {
    return;
  }
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().string().ends_with(suffix)) fs::remove(entry.path());
  }
  write_file_atomically(stamp, nlohmann::json{{"decisions", decisions}}.dump() + "\n");
}

std::string file_of(const std::string& output, const std::string& name,
                    const IndexedSegment& segment) {
  const SegmentInfo& info = segment.segment->info();
  return fmt::format("{}/{}/{}-{:05}{}", output, name, info.source, info.part, suffix);
}

// Lines in a file of frames of about a megabyte.
class PackedLines {
 public:
  explicit PackedLines(const std::string& path) : file_(path) {}
  void add(std::string_view line) {
    block_ += line;
    if (block_.size() >= 1 << 20) flush();
  }
  void commit() {
    flush();
    file_.commit();
  }

 private:
  void flush() {
    if (!block_.empty()) file_.write(zstd_frame(block_));
    block_.clear();
  }

  AtomicFile file_;
  std::string block_;
};

void write_copies(const Index& index, const Clusters& clusters, const IndexedSegment& segment,
                  const std::string& path) {
  PackedLines lines(path);
  RecordFile<DocumentRecord> records(segment.segment->file("documents"), 1 << 20);
  for (std::uint64_t number = segment.first_document; !records.ended(); records.pop(), ++number) {
    if (clusters.fates[number] == Fate::stays) continue;
    lines.add(fmt::format("{{\"document\": {}, \"of\": {}, \"how\": \"{}\"}}\n",
                          json_quoted(segment.segment->place(records.front())),
                          json_quoted(index.place(clusters.kept[number])),
                          clusters.fates[number] == Fate::exact_copy ? "exact" : "near"));
  }
  lines.commit();
}

void write_texts(const Clusters& clusters, const IndexedSegment& segment,
                 const TextSourceConfig& source, int threads, const std::string& path,
                 Progress& progress) {
  AtomicFile file(path);
  std::vector<std::string> files;
  for (const PartFile& from : segment.segment->info().files) files.push_back(from.path);
  std::uint64_t number = segment.first_document;
  const std::uint64_t end = number + segment.segment->info().documents;
  for_each_chunk<DocumentChunk>(
      source, std::move(files), threads, progress,
      [](DocumentChunk&& chunk) { return std::move(chunk); },
      [&](DocumentChunk&& chunk) {
        std::string block;
        for (const Document& document : chunk.documents) {
          if (number == end)
            fail_input("{}: has more documents than when it was indexed", document.source);
          if (clusters.fates[number++] == Fate::stays) block += json_line(document);
        }
        if (!block.empty()) file.write(zstd_frame(block));
      });
  if (number != end) {
    fail_input("source '{}': its files have fewer documents than when they were indexed",
               source.name);
  }
  file.commit();
}

std::uint64_t bytes_on_disk(const IndexedSegment& segment) {
  std::uint64_t bytes = 0;
  for (const PartFile& file : segment.segment->info().files) bytes += file.bytes;
  return bytes;
}

const TextSourceConfig* find_source(const DedupConfig& config, const std::string& name) {
  const auto found = std::ranges::find(config.sources, name, &TextSourceConfig::name);
  return found == config.sources.end() ? nullptr : &*found;
}

void count_bytes(const Clusters& clusters, const IndexedSegment& segment, SourceReport& report) {
  RecordFile<DocumentRecord> records(segment.segment->file("documents"), 1 << 20);
  for (std::uint64_t number = segment.first_document; !records.ended(); records.pop(), ++number) {
    const Fate fate = clusters.fates[number];
    report.bytes += records.front().text_bytes;
    if (fate == Fate::stays) report.kept_bytes += records.front().text_bytes;
    ++report.removed.documents;
    report.removed.exact += fate == Fate::exact_copy;
    report.removed.near += fate == Fate::near_copy;
  }
}

nlohmann::ordered_json json_of(const RemovedCounts& counts) {
  return {{"documents", counts.documents}, {"exact", counts.exact}, {"near", counts.near}};
}

}  // namespace

void write_outputs(const Index& index, const Clusters& clusters, const DedupConfig& config,
                   DedupReport& report) {
  const std::string decisions = decisions_of(index, clusters);
  prepare_directory(config.output, "copies", decisions);
  if (config.write_texts) prepare_directory(config.output, "texts", decisions);
  std::uint64_t bytes = 0;
  for (const IndexedSegment& segment : index.segments) {
    if (config.write_texts && find_source(config, index.sources[segment.source])) {
      bytes += bytes_on_disk(segment);
    }
  }
  Progress progress("writing", bytes, Progress::Unit::bytes);
  const int threads = config.threads > 0 ? static_cast<int>(config.threads) : num_threads();
  for (const IndexedSegment& segment : index.segments) {
    count_bytes(clusters, segment, report.sources[segment.source]);
    const std::string copies = file_of(config.output, "copies", segment);
    if (!fs::exists(copies)) write_copies(index, clusters, segment, copies);
    const TextSourceConfig* source = find_source(config, index.sources[segment.source]);
    if (!config.write_texts || !source) continue;
    const std::string texts = file_of(config.output, "texts", segment);
    if (fs::exists(texts)) {
      progress.advance(bytes_on_disk(segment));
    } else {
      write_texts(clusters, segment, *source, threads, texts, progress);
    }
  }
  progress.finish();
}

std::string to_json(const DedupReport& report) {
  nlohmann::ordered_json json;
  for (const SourceReport& source : report.sources) {
    nlohmann::ordered_json row = json_of(source.removed);
    row["name"] = source.name;
    row["bytes"] = source.bytes;
    row["kept_bytes"] = source.kept_bytes;
    row["with_sources_before"] = json_of(source.within_first);
    json["sources"].push_back(row);
  }
  json["cluster_sizes"] = report.cluster_sizes;
  json["largest_cluster"] = report.largest_cluster;
  json["candidates"] = report.candidates;
  json["verified"] = report.verified;
  json["notes"] = report.notes;
  return json.dump(1) + "\n";
}

}  // namespace fathom::dedup

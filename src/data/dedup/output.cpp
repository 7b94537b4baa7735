#include "data/dedup/output.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "core/log.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "data/dedup/record_file.h"
#include "data/dedup/segment_json.h"
#include "data/dedup/stamped_files.h"
#include "data/document_chunks.h"
#include "data/json_lines.h"
#include "data/parts.h"
#include "io/atomic_file.h"
#include "io/checksum.h"
#include "io/json_object.h"
#include "io/zstd_frame.h"

namespace fathom::dedup {
namespace {

// What a segment was made from, and a checksum of what it holds.
std::string identity_of(const Segment& segment) {
  return to_json(segment.info()) + checksum_text(checksum_of_file(segment.file("documents")));
}

// Stamps of the outputs: checksums of all that a file's content depends on.
class Stamps {
 public:
  Stamps(const Index& index, const Clusters& clusters) : clusters_(clusters) {
    Checksum all;
    all.update(std::as_bytes(std::span(clusters.kept)));
    all.update(std::as_bytes(std::span(clusters.fates)));
    for (const IndexedSegment& segment : index.segments) {
      identities_.push_back(identity_of(*segment.segment));
      all.update(identities_.back());
    }
    copies_ = checksum_text(all.value());
  }

  // Lists of copies name documents of any segment, so that they share one stamp.
  const std::string& of_copies() const { return copies_; }

  // `number`: of Index::segments.
  std::string of_texts(const IndexedSegment& segment, std::size_t number) const {
    const std::span fates = std::span(clusters_.fates)
                                .subspan(segment.first_document, segment.segment->info().documents);
    Checksum checksum;
    checksum.update(identities_[number]);
    checksum.update(std::as_bytes(fates));
    return checksum_text(checksum.value());
  }

 private:
  const Clusters& clusters_;
  std::vector<std::string> identities_;  // of Index::segments
  std::string copies_;
};

std::string name_of(const IndexedSegment& segment) {
  return part_name(segment.segment->info().source, segment.segment->info().part);
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

// The config's source whose texts of this segment are to be written, or null.
const TextSourceConfig* source_to_write(const DedupConfig& config, const Index& index,
                                        const IndexedSegment& segment) {
  return config.write_texts ? find_source(config, index.sources[segment.source]) : nullptr;
}

void warn_stale(const std::string& path) {
  log::warning(
      "{}: is of earlier decisions; it is kept, as its source is not read in this call. Give all "
      "sources to write all texts anew",
      path);
}

// Removes files of parts that the index no longer has. Texts of sources outside the config are
// kept: nothing could write them again.
void remove_leftovers(const Index& index, const DedupConfig& config, StampedFiles& copies,
                      StampedFiles& texts) {
  std::set<std::string> names;
  for (const IndexedSegment& segment : index.segments) names.insert(name_of(segment));
  for (const std::string& name : copies.names()) {
    if (!names.contains(name)) copies.remove(name);
  }
  for (const std::string& name : texts.names()) {
    if (names.contains(name)) continue;
    if (config.write_texts && find_source(config, name.substr(0, name.rfind('-')))) {
      texts.remove(name);
    } else {
      warn_stale(texts.path(name));
    }
  }
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
  const Stamps stamps(index, clusters);
  StampedFiles copies(config.output, "copies"), texts(config.output, "texts");
  std::uint64_t bytes = 0;
  for (const IndexedSegment& segment : index.segments) {
    if (source_to_write(config, index, segment)) bytes += bytes_on_disk(segment);
  }
  Progress progress("writing", bytes, Progress::Unit::bytes);
  const int threads = config.threads > 0 ? static_cast<int>(config.threads) : num_threads();
  for (std::size_t i = 0; i < index.segments.size(); ++i) {
    const IndexedSegment& segment = index.segments[i];
    const std::string name = name_of(segment);
    count_bytes(clusters, segment, report.sources[segment.source]);
    if (!copies.is_current(name, stamps.of_copies())) {
      copies.replace(name, stamps.of_copies(), [&](const std::string& path) {
        write_copies(index, clusters, segment, path);
      });
    }
    const TextSourceConfig* source = source_to_write(config, index, segment);
    const std::string stamp = stamps.of_texts(segment, i);
    const bool current = texts.is_current(name, stamp);
    if (!source) {
      if (!current && texts.exists(name)) warn_stale(texts.path(name));
    } else if (current) {
      progress.advance(bytes_on_disk(segment));
    } else {
      texts.replace(name, stamp, [&](const std::string& path) {
        write_texts(clusters, segment, *source, threads, path, progress);
      });
    }
  }
  progress.finish();
  remove_leftovers(index, config, copies, texts);
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

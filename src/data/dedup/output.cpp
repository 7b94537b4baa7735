#include "data/dedup/output.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "core/error.h"
#include "core/log.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "data/dedup/kept_texts.h"
#include "data/dedup/packed_lines.h"
#include "data/dedup/record_file.h"
#include "data/dedup/segment_json.h"
#include "data/dedup/stamped_files.h"
#include "data/dedup/text_output.h"
#include "data/parts.h"
#include "io/checksum.h"
#include "io/json_object.h"

namespace fathom::dedup {
namespace {

// What a segment was made from, and a checksum of what it holds.
std::string identity_of(const Segment& segment) {
  return to_json(segment.info()) + checksum_text(checksum_of_file(segment.file("documents")));
}

// Stamps of the outputs: checksums of all that a file's content depends on.
class Stamps {
 public:
  Stamps(const Index& index, const Clusters& clusters, const Removals& removals, double max_lost)
      : clusters_(clusters), removals_(removals), max_lost_(max_lost) {
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
    if (removals_.any()) checksum.update(of_removals(number));
    return checksum_text(checksum.value());
  }

 private:
  std::string of_removals(std::size_t segment) const {
    std::string text = fmt::format("max_lost {}", max_lost_);
    if (removals_.lines) text += fmt::format(", lines {}", removals_.lines->checksum(segment));
    if (removals_.paragraphs) {
      text += fmt::format(", paragraphs {}", removals_.paragraphs->checksum(segment));
    }
    return text;
  }

  const Clusters& clusters_;
  const Removals& removals_;
  double max_lost_;
  std::vector<std::string> identities_;  // of Index::segments
  std::string copies_;
};

std::string name_of(const IndexedSegment& segment) {
  return part_name(segment.segment->info().source, segment.segment->info().part);
}

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

class OutputWriter {
 public:
  OutputWriter(const Index& index, const Clusters& clusters, const Removals& removals,
               const DedupConfig& config)
      : index_(index),
        clusters_(clusters),
        removals_(removals),
        config_(config),
        stamps_(index, clusters, removals, config.max_lost),
        copies_(config.output, "copies"),
        texts_(config.output, "texts"),
        progress_("writing", bytes_to_read(), Progress::Unit::bytes) {
    const bool earlier_cuts = std::filesystem::exists(config.output + "/cuts");
    if (removals.any() || earlier_cuts) cuts_.emplace(config.output, "cuts");
  }

  void write(DedupReport& report) {
    for (std::size_t i = 0; i < index_.segments.size(); ++i) {
      const IndexedSegment& segment = index_.segments[i];
      SourceReport& source = report.sources[segment.source];
      count_bytes(clusters_, segment, source);
      write_copies_of(segment);
      write_texts_of(i);
      count_cuts_of(segment, source);
    }
    progress_.finish();
    remove_leftovers();
  }

 private:
  std::uint64_t bytes_to_read() const {
    std::uint64_t bytes = 0;
    for (const IndexedSegment& segment : index_.segments) {
      if (source_to_write(config_, index_, segment)) bytes += bytes_on_disk(segment);
    }
    return bytes;
  }

  void write_copies_of(const IndexedSegment& segment) {
    const std::string name = name_of(segment);
    if (copies_.is_current(name, stamps_.of_copies())) return;
    copies_.replace(name, stamps_.of_copies(), [&](const std::string& path) {
      write_copies(index_, clusters_, segment, path);
    });
  }

  void write_texts_of(std::size_t number) {
    const IndexedSegment& segment = index_.segments[number];
    const std::string name = name_of(segment);
    const TextSourceConfig* source = source_to_write(config_, index_, segment);
    const std::string stamp = stamps_.of_texts(segment, number);
    const bool current =
        texts_.is_current(name, stamp) && (!removals_.any() || cuts_->is_current(name, stamp));
    if (!source) {
      if (!current && texts_.exists(name)) warn_stale(texts_.path(name));
    } else if (current) {
      progress_.advance(bytes_on_disk(segment));
    } else {
      replace_texts(number, *source, name, stamp);
    }
  }

  void replace_texts(std::size_t number, const TextSourceConfig& source, const std::string& name,
                     const std::string& stamp) {
    const int threads = config_.threads > 0 ? static_cast<int>(config_.threads) : num_threads();
    KeptTexts kept(index_, number, clusters_, removals_, source, threads);
    const auto write_with = [&](PackedLines* cuts) {
      texts_.replace(name, stamp, [&](const std::string& path) {
        write_texts(kept, config_.max_lost, source.field, path, cuts, progress_);
      });
    };
    if (!removals_.any()) return write_with(nullptr);
    cuts_->replace(name, stamp, [&](const std::string& path) {
      PackedLines cuts(path);
      write_with(&cuts);
      cuts.commit();
    });
  }

  void count_cuts_of(const IndexedSegment& segment, SourceReport& report) {
    const std::string name = name_of(segment);
    if (!removals_.any() || !cuts_->exists(name)) return;
    const CutCounts counts = count_cuts(cuts_->path(name));
    report.cuts.add(counts);
    report.kept_bytes -= std::min(report.kept_bytes, counts.bytes);
  }

  // Removes files of parts that the index no longer has. Texts of sources outside the config are
  // kept: nothing could write them again.
  void remove_leftovers() {
    std::set<std::string> names;
    for (const IndexedSegment& segment : index_.segments) names.insert(name_of(segment));
    for (const std::string& name : copies_.names()) {
      if (!names.contains(name)) copies_.remove(name);
    }
    for (const std::string& name : texts_.names()) {
      if (names.contains(name)) continue;
      if (config_.write_texts && find_source(config_, name.substr(0, name.rfind('-')))) {
        texts_.remove(name);
      } else {
        warn_stale(texts_.path(name));
      }
    }
    if (!cuts_) return;
    for (const std::string& name : cuts_->names()) {
      if (!removals_.any() || !texts_.exists(name)) cuts_->remove(name);
    }
  }

  const Index& index_;
  const Clusters& clusters_;
  const Removals& removals_;
  const DedupConfig& config_;
  Stamps stamps_;
  StampedFiles copies_, texts_;
  std::optional<StampedFiles> cuts_;
  Progress progress_;
};

nlohmann::ordered_json json_of(const RemovedCounts& counts) {
  return {{"documents", counts.documents}, {"exact", counts.exact}, {"near", counts.near}};
}

nlohmann::ordered_json json_of(const CutCounts& counts) {
  return {{"cut_documents", counts.cut},           {"left_empty", counts.left_empty},
          {"lost_too_much", counts.lost_too_much}, {"lines", counts.lines},
          {"paragraphs", counts.paragraphs},       {"bytes", counts.bytes}};
}

}  // namespace

void write_outputs(const Index& index, const Clusters& clusters, const Removals& removals,
                   const DedupConfig& config, DedupReport& report) {
  OutputWriter(index, clusters, removals, config).write(report);
}

std::string to_json(const DedupReport& report) {
  nlohmann::ordered_json json;
  for (const SourceReport& source : report.sources) {
    nlohmann::ordered_json row = json_of(source.removed);
    row["name"] = source.name;
    row["bytes"] = source.bytes;
    row["kept_bytes"] = source.kept_bytes;
    row["with_sources_before"] = json_of(source.within_first);
    if (report.has_cuts) row["cuts"] = json_of(source.cuts);
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

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
#include "data/dedup/output_stamps.h"
#include "data/dedup/packed_lines.h"
#include "data/dedup/record_file.h"
#include "data/dedup/repeats.h"
#include "data/dedup/sequences.h"
#include "data/dedup/stamped_files.h"
#include "data/dedup/text_output.h"
#include "data/parts.h"
#include "io/json_object.h"

namespace fathom::dedup {
namespace {

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
  OutputWriter(const Index& index, const Clusters& clusters, const DedupConfig& config,
               const Scratch& scratch)
      : index_(index),
        clusters_(clusters),
        config_(config),
        scratch_(scratch),
        removals_(find_passages_to_remove()),
        stamps_(index, clusters, removals_, config),
        copies_(config.output, "copies"),
        texts_(config.output, "texts") {
    const bool earlier_cuts = std::filesystem::exists(config.output + "/cuts");
    if (cuts_documents(config) || earlier_cuts) cuts_.emplace(config.output, "cuts");
  }

  void write(DedupReport& report) {
    if (config_.substrings.enabled && !all_current()) {
      removals_.sequences =
          find_sequences(index_, clusters_, removals_, config_, scratch_.path, scratch_.sort_bytes);
    }
    progress_.emplace("writing", bytes_to_read(), Progress::Unit::bytes);
    for (std::size_t i = 0; i < index_.segments.size(); ++i) {
      const IndexedSegment& segment = index_.segments[i];
      SourceReport& source = report.sources[segment.source];
      count_bytes(clusters_, segment, source);
      write_copies_of(segment);
      write_texts_of(i);
      count_cuts_of(i, source);
    }
    progress_->finish();
    remove_leftovers();
  }

 private:
  // Those of lines and paragraphs.
  Removals find_passages_to_remove() const {
    Removals removals;
    const auto find = [&](PassageLevel level, const PassageConfig& config) {
      return find_repeats(index_, clusters_, level, config, scratch_.path, scratch_.sort_bytes);
    };
    if (config_.lines.enabled) removals.lines = find(PassageLevel::line, config_.lines);
    if (config_.paragraphs.enabled) {
      removals.paragraphs = find(PassageLevel::paragraph, config_.paragraphs);
    }
    return removals;
  }

  bool is_current(std::size_t number) const {
    const std::string name = name_of(index_.segments[number]);
    const std::string& stamp = stamps_.of_texts(number);
    return texts_.is_current(name, stamp) &&
           (!cuts_documents(config_) || cuts_->is_current(name, stamp));
  }

  // Whether the texts of the config's sources are.
  bool all_current() const {
    for (std::size_t i = 0; i < index_.segments.size(); ++i) {
      if (source_to_write(config_, index_, index_.segments[i]) && !is_current(i)) return false;
    }
    return true;
  }

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
    const bool current = is_current(number);
    if (!source) {
      if (!current && texts_.exists(name)) warn_stale(texts_.path(name));
    } else if (current) {
      progress_->advance(bytes_on_disk(segment));
    } else {
      replace_texts(number, *source, name);
    }
  }

  void replace_texts(std::size_t number, const TextSourceConfig& source, const std::string& name) {
    const std::string& stamp = stamps_.of_texts(number);
    const int threads = config_.threads > 0 ? static_cast<int>(config_.threads) : num_threads();
    KeptTexts kept(index_, number, clusters_, removals_, source, threads);
    const auto write_with = [&](PackedLines* cuts) {
      texts_.replace(name, stamp, [&](const std::string& path) {
        write_texts(kept, config_, source.field, path, cuts, *progress_);
      });
    };
    if (!cuts_documents(config_)) return write_with(nullptr);
    cuts_->replace(name, stamp, [&](const std::string& path) {
      PackedLines cuts(path);
      write_with(&cuts);
      cuts.commit();
    });
  }

  // Not of texts that are of earlier decisions.
  void count_cuts_of(std::size_t number, SourceReport& report) {
    const std::string name = name_of(index_.segments[number]);
    if (!cuts_documents(config_) || !is_current(number)) return;
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
      if (!cuts_documents(config_) || !texts_.exists(name)) cuts_->remove(name);
    }
  }

  const Index& index_;
  const Clusters& clusters_;
  const DedupConfig& config_;
  const Scratch& scratch_;
  Removals removals_;
  OutputStamps stamps_;
  StampedFiles copies_, texts_;
  std::optional<StampedFiles> cuts_;
  std::optional<Progress> progress_;
};

nlohmann::ordered_json json_of(const RemovedCounts& counts) {
  return {{"documents", counts.documents}, {"exact", counts.exact}, {"near", counts.near}};
}

nlohmann::ordered_json json_of(const CutCounts& counts) {
  return {{"cut_documents", counts.cut},
          {"left_empty", counts.left_empty},
          {"lost_too_much", counts.lost_too_much},
          {"lines", counts.lines},
          {"paragraphs", counts.paragraphs},
          {"tokens", counts.tokens},
          {"bytes", counts.bytes}};
}

}  // namespace

void write_outputs(const Index& index, const Clusters& clusters, const DedupConfig& config,
                   const Scratch& scratch, DedupReport& report) {
  OutputWriter(index, clusters, config, scratch).write(report);
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

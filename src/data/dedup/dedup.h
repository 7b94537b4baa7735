// `data dedup`: finds copies among documents and writes what stays.
//
//   OUTPUT/texts/<source>-<part>.jsonl.zst   the documents that stay, as they were read
//   OUTPUT/copies/<source>-<part>.jsonl.zst  {"document", "of", "how"} for each that goes
//   OUTPUT/cuts/<source>-<part>.jsonl.zst    documents that parts went from
//                                            (data/dedup/text_output.h)
//   OUTPUT/dedup.json                        the figures of the report
//   OUTPUT/index/                            data/dedup/index.h, unless it is elsewhere
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dedup/clusters.h"
#include "data/dedup/config.h"
#include "data/sharing.h"
#include "io/output_path.h"

namespace fathom::dedup {

// What went from documents that are no copies themselves.
struct CutCounts {
  std::uint64_t cut = 0, left_empty = 0, lost_too_much = 0;  // documents
  std::uint64_t lines = 0, paragraphs = 0;                   // that went
  std::uint64_t tokens = 0;                                  // of sequences
  std::uint64_t bytes = 0;                                   // in all

  void add(const CutCounts& other);
};

struct SourceReport {
  std::string name;
  RemovedCounts removed;  // whole documents
  CutCounts cuts;         // within the others
  std::uint64_t bytes = 0, kept_bytes = 0;
  RemovedCounts within_first;  // of this source and all before it
};

struct DedupReport {
  std::vector<SourceReport> sources;
  bool has_cuts = false;                     // whether the config asks for parts
  std::vector<std::uint64_t> cluster_sizes;  // [i]: clusters of 2^i to 2^(i+1) - 1 documents
  std::uint64_t largest_cluster = 0;
  std::uint64_t candidates = 0, verified = 0;
  std::vector<std::string> notes;  // about documents that were left out or repaired
};

// Reads the sources that the index lacks, finds the copies among all documents of the index, and
// writes the outputs of all segments; texts of the config's sources alone, as the others are not
// read again. Stopped at any moment it goes on when it is called again. The outputs do not depend
// on threads, memory_mb, or in how many calls the sources were added; but substrings
// are searched in the config's sources alone. Throws an input Error for a
// config that cannot be carried out, before any work.
// Processes may share the reading (data/sharing.h): helpers return, with an empty report, when all
// sources are in the index, and one other process does the rest. The outputs have the same bytes.
DedupReport deduplicate(const DedupConfig& config, const Sharing<DedupConfig>& sharing = {});

// Names of all files in an output of these sources, those of its index and of a call that was
// stopped among them.
OwnFiles dedup_files(std::span<const std::string> sources);

// Tables for people.
std::string summary(const DedupReport& report);

}  // namespace fathom::dedup

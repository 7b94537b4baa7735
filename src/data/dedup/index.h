// The index of `data dedup`: a directory that remembers all documents ever given to it, in segments
// that are made once. A new dump is read alone; copies are then found among all segments, so that
// adding dumps one by one gives what all of them at once would.
//
//   index.json                   {"version", "options", "sources": [{"name", "parts"}]},
//                                sources in the order of adding
//   segments/<source>-<part>/    data/dedup/segment.h
//   .dedup-scratch/              sorted runs of a process that is at work, or was killed
//   .claims/                     of processes that share the parts (data/sharing.h)
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/dedup/segment.h"
#include "data/sharing.h"

namespace fathom::dedup {

// Documents are numbered through all segments.
struct IndexedSegment {
  std::unique_ptr<Segment> segment;
  std::size_t source = 0;            // of Index::sources
  std::uint64_t first_document = 0;  // its first document's number
};

struct Index {
  std::vector<std::string> sources;
  std::vector<IndexedSegment> segments;  // in the order of sources, then parts
  std::uint64_t documents = 0, text_bytes = 0;

  const IndexedSegment& segment_of(std::uint64_t document) const;
  DocumentRecord document(std::uint64_t number) const;
  std::string place(std::uint64_t number) const;
};

// Makes the segments that the sources lack, and opens all. A segment that is there is used as it
// is, so work that was stopped goes on. Throws an input Error when the index was made with other
// options, when the files of an indexed source are others now or are
// read in another way, when a part is missing whose source is not in the config, and for what
// cannot be read. Processes may share the segments; a helper opens none.
Index build_index(const DedupConfig& config, const std::string& directory,
                  const Sharing<DedupConfig>& sharing);

}  // namespace fathom::dedup

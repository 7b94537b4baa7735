// A part of the index: every document of some files of a source, by what finding copies needs.
// The index is documented in docs/data.md; its directory of a segment holds
//
//   documents     DocumentRecord, one a document, in the order of reading
//   bands         BandRecord, one a band of each document, sorted
//   sketches      the documents' smallest shingle hashes (u32), one after the other
//   lines         PassageRecord, one a line that may be a repeated one, sorted; with lines.enabled
//   paragraphs    the same of paragraphs
//   segment.json  SegmentInfo; written last
//
// Integers are little-endian.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/progress.h"
#include "data/dedup/config.h"
#include "data/dedup/minhash.h"
#include "data/dedup/sketch.h"
#include "data/parts.h"
#include "io/checksum.h"
#include "io/file_reader.h"
#include "text/document.h"

namespace fathom::dedup {

struct DocumentRecord {
  WideChecksum exact;        // of the folded text
  std::uint64_t preference;  // the smallest of a cluster stays
  std::uint64_t sketch;      // its first hash in `sketches`
  std::uint32_t hashes;      // in the sketch
  std::uint32_t whole;       // 1: the sketch has all hashes of the document
  std::uint64_t text_bytes;
  std::uint32_t file, line;  // of SegmentInfo::files; 1 is the first line
};
static_assert(sizeof(DocumentRecord) == 56);

struct __attribute__((packed, aligned(4))) BandRecord {
  std::uint64_t key;
  std::uint32_t document;  // in the segment, from 0

  friend bool operator<(const BandRecord& a, const BandRecord& b) {
    const std::uint64_t x = a.key, y = b.key;
    return x != y ? x < y : a.document < b.document;
  }
};
static_assert(sizeof(BandRecord) == 12);

// What is read, and how: documents may be compared when all of it is equal.
struct IndexOptions {
  Keep keep = Keep::longest;
  std::string quality_field;
  Banding banding;
  bool minhash = true;
  std::int64_t words = 0, characters = 0, verify_shingles = 0, seed = 0;
  std::int64_t line_bytes = 0, paragraph_bytes = 0;  // PassageConfig::min_bytes; 0: not indexed

  explicit IndexOptions(const DedupConfig& config);
  std::string text() const;  // in segment.json, and for messages
};

struct SegmentInfo {
  std::string source;
  std::int64_t part = 0;
  std::string options;  // IndexOptions::text(), and how the source is read
  std::vector<PartFile> files;
  std::uint64_t documents = 0, text_bytes = 0;
  DocumentCounts counts;
};

// Reads the files on all cores and writes the segment as `directory`, by one rename. Throws the
// Errors of reading.
void build_segment(const std::string& directory, SegmentInfo info, const TextSourceConfig& source,
                   const DedupConfig& config, Progress& progress);

// A segment of the index, read where it is asked. Any thread may read.
class Segment {
 public:
  // Throws an input Error that names the file when it is damaged or of another version.
  explicit Segment(std::string directory);

  const SegmentInfo& info() const { return info_; }
  std::string file(std::string_view name) const { return directory_ + "/" + std::string(name); }
  DocumentRecord document(std::uint64_t number) const;
  // `hashes` is overwritten and holds the sketch.
  SketchView sketch(const DocumentRecord& record, std::vector<std::uint32_t>& hashes) const;
  std::string place(const DocumentRecord& record) const;  // "file:line"

 private:
  std::string directory_;
  SegmentInfo info_;
  FileReader documents_, sketches_;
};

}  // namespace fathom::dedup

// The config of `data dedup`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/enum_names.h"
#include "data/config.h"

namespace fathom::dedup {

// Which copy among duplicates stays; between equals the one that is read first.
enum class Keep {
  first,    // in the order of the sources and their files
  last,     // of the last source, the newest dump; in it the first
  longest,  // by bytes of text
  best,     // the highest number in the JSON field `quality_field`
};
inline std::span<const std::string_view> enum_names(Keep) {
  static constexpr std::string_view names[] = {"first", "last", "longest", "best"};
  return names;
}

enum class Exact {
  off,
  folded,  // equal but for case, width and blanks
};
inline std::span<const std::string_view> enum_names(Exact) {
  static constexpr std::string_view names[] = {"off", "folded"};
  return names;
}

struct MinHashConfig {
  bool enabled = true;
  double threshold = 0.8;
  double recall = 0.95;
  std::int64_t permutations = 128;
  std::int64_t bands = 0;
  std::int64_t rows = 0;
  std::int64_t words = 5;
  std::int64_t characters = 8;
  std::int64_t verify_shingles = 512;
  std::int64_t seed = 1;
};
template <class Visitor>
void visit_fields(MinHashConfig& c, Visitor&& field) {
  field("enabled", c.enabled, "false: exact duplicates only");
  field("threshold", c.threshold, "Jaccard similarity of shingles from which documents are copies");
  field("recall", c.recall, "bands = 0: chance with which a pair at the threshold is compared");
  field("permutations", c.permutations, "bands = 0: minima a document, divided into bands");
  field("bands", c.bands, "0: with rows, from threshold, recall and permutations");
  field("rows", c.rows, "minima a band: documents with an equal band are compared");
  field("words", c.words, "length of a shingle in words");
  field("characters", c.characters, "and in characters where scripts are written without blanks");
  field("verify_shingles", c.verify_shingles,
        "similarity is exact between documents of so many different shingles, else estimated");
  field("seed", c.seed, "of the hash functions");
}

// Of lines, and of paragraphs: lines without a blank one between them.
struct PassageConfig {
  bool enabled = false;
  std::int64_t more_than = 1;
  std::int64_t keep = 1;
  std::int64_t min_bytes = 32;
};
template <class Visitor>
void visit_fields(PassageConfig& c, Visitor&& field) {
  field("enabled", c.enabled, "take repeated ones out of the documents that stay; not for code");
  field("more_than", c.more_than,
        "those that are in all sources more often than this are repeated");
  field("keep", c.keep,
        "of a repeated one the first so many stay, in the order of reading; 0: none");
  field("min_bytes", c.min_bytes, "those with fewer bytes of words stay, as short headings");
}

struct SubstringConfig {
  bool enabled = false;
  std::int64_t tokens = 50;
};
template <class Visitor>
void visit_fields(SubstringConfig& c, Visitor&& field) {
  field("enabled", c.enabled,
        "take out sequences of tokens that were in the texts of these sources before");
  field("tokens", c.tokens,
        "length of a sequence: words, ideographs, and marks, equal ones in a row as one");
}

struct DedupConfig {
  std::string output;
  std::string index;
  Keep keep = Keep::longest;
  std::string quality_field = "quality";
  Exact exact = Exact::folded;
  bool write_texts = true;
  std::int64_t part_mb = 1024;
  std::int64_t memory_mb = 2048;
  std::int64_t threads = 0;
  double max_lost = 1;
  MinHashConfig minhash;
  PassageConfig lines, paragraphs;
  SubstringConfig substrings;
  std::vector<TextSourceConfig> sources;
};
template <class Visitor>
void visit_fields(DedupConfig& c, Visitor&& field) {
  field("output", c.output,
        "directory for the documents that stay, the lists of copies, the report");
  field("index", c.index, "directory that remembers every document; empty: OUTPUT/index");
  field(
      "keep", c.keep,
      "which copy of a document stays; of lines, paragraphs and substrings always the first read");
  field("quality_field", c.quality_field, "keep = best: the JSON field with the number");
  field("exact", c.exact, "documents equal but for case, width and blanks are copies");
  field("write_texts", c.write_texts, "false: only the lists of copies and the report");
  field("part_mb", c.part_mb, "files are indexed in parts of so many megabytes; a kill costs one");
  field("memory_mb", c.memory_mb, "for sorting and tables; sorted runs go to the disk beyond it");
  field("threads", c.threads, "0: one per core; the output does not depend on it");
  field("max_lost", c.max_lost,
        "a document goes whole that would lose a larger share to lines, paragraphs and substrings");
  field("minhash", c.minhash, "");
  field("lines", c.lines, "");
  field("paragraphs", c.paragraphs, "");
  field("substrings", c.substrings, "");
  field("sources", c.sources, "");
}

// Whether parts of documents go, too.
inline bool cuts_documents(const DedupConfig& config) {
  return config.lines.enabled || config.paragraphs.enabled || config.substrings.enabled;
}

// Throws an input Error that names the key for a value out of range, and for the sources.
void check_config(const DedupConfig& config);

}  // namespace fathom::dedup

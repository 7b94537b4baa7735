// What becomes of a chunk of documents. Internal to clean.
#pragma once

#include <string>
#include <vector>

#include "data/clean/clean.h"
#include "data/document_chunks.h"

namespace fathom::clean {

// What decides about documents.
struct Judges {
  std::vector<Filter> filters;
  const Contamination* benchmarks = nullptr;
  std::vector<LoadedClassifier> classifiers;
  TextScorer* scorer = nullptr;
};

struct CleanedChunk {
  std::vector<std::string> kept;  // packed lines, by bucket
  std::string dropped;            // packed lines
  Counts counts;
};

// Judges and writes chunks of one source. A language model reads one chunk at a time, while
// everything else may be done by any thread.
class ChunkCleaner {
 public:
  // All of these must outlive this.
  ChunkCleaner(const CleanConfig& config, const TextSourceConfig& source, const Judges& judges)
      : config_(config), source_(source), judges_(judges) {}

  struct Judged {
    DocumentChunk chunk;
    std::vector<Cleaned> cleaned;  // by document
    std::optional<CleanedChunk> done;
  };
  Judged judge(DocumentChunk&& chunk) const;  // any thread may call it
  // Call it from one thread at a time.
  CleanedChunk finish(Judged&& judged) const;

 private:
  void score_texts(Judged& judged) const;
  CleanedChunk write(Judged& judged) const;

  const CleanConfig& config_;
  const TextSourceConfig& source_;
  const Judges& judges_;
};

}  // namespace fathom::clean

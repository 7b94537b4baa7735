// Reads the documents of a segment that stay, with what goes from each, on all cores.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/enum_names.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "data/dedup/clusters.h"
#include "data/dedup/removed_parts.h"
#include "data/document_chunks.h"

namespace fathom::dedup {

struct KeptDocument {
  Document document;
  std::uint32_t number = 0;                      // in the segment
  std::vector<std::uint32_t> lines, paragraphs;  // that go, by their numbers
  // That go of the rest, by their first tokens.
  std::vector<std::uint32_t> sequences;
};

enum class Cut {
  none,
  part,           // something goes, the rest stays
  left_empty,     // the document goes, as no word is left
  lost_too_much,  // the document goes by max_lost
};
inline std::span<const std::string_view> enum_names(Cut) {
  static constexpr std::string_view names[] = {"none", "cut", "left_empty", "lost_too_much"};
  return names;
}

struct CutDocument {
  Cut how = Cut::none;
  std::string text;              // what is left, of one that is cut
  std::uint64_t lost_bytes = 0;  // all of a document that goes
  std::uint64_t tokens = 0;      // that went with sequences
};
CutDocument cut_document(const KeptDocument& kept, const DedupConfig& config);

// The documents of one segment whose files are read again.
class KeptTexts {
 public:
  // `segment`: of Index::segments.
  KeptTexts(const Index& index, std::size_t segment, const Clusters& clusters,
            const Removals& removals, const TextSourceConfig& source, int threads)
      : segment_(index.segments[segment]),
        clusters_(clusters),
        source_(source),
        threads_(threads),
        lines_(removals.lines, segment),
        paragraphs_(removals.paragraphs, segment),
        sequences_(removals.sequences, segment) {}

  // Calls work(std::vector<KeptDocument>&&) -> Result on all cores, and consume(Result) on this
  // thread in the order of the documents. Throws an input Error when the files have more or fewer
  // documents than when they were indexed. Called once.
  template <class Result, class Work, class Consume>
  void for_each_chunk(Progress& progress, Work work, Consume consume) {
    std::vector<std::vector<KeptDocument>> batch;
    const auto flush = [&] {
      std::vector<Result> results(batch.size());
      parallel_for(
          static_cast<std::int64_t>(batch.size()), 1, [&](std::int64_t begin, std::int64_t end) {
            for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
              results[i] = work(std::move(batch[i]));
            }
          });
      for (Result& result : results) consume(std::move(result));
      batch.clear();
    };
    fathom::for_each_chunk<DocumentChunk>(
        source_, files(), threads_, progress,
        [](DocumentChunk&& chunk) { return std::move(chunk); },
        [&](DocumentChunk&& chunk) {
          batch.push_back(kept_of(std::move(chunk)));
          if (batch.size() == 2 * static_cast<std::size_t>(threads_)) flush();
        });
    flush();
    check_ended();
  }

 private:
  std::vector<std::string> files() const;
  std::vector<KeptDocument> kept_of(DocumentChunk&& chunk);
  void check_ended() const;

  const IndexedSegment& segment_;
  const Clusters& clusters_;
  const TextSourceConfig& source_;
  int threads_;
  RemovedPartReader lines_, paragraphs_, sequences_;
  std::uint64_t number_ = 0;  // of the next document, in the segment
};

}  // namespace fathom::dedup

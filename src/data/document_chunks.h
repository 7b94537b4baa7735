// The first step of every data command: reads the documents of a source in chunks,
// processes the chunks on many threads, and hands over the results in order.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/progress.h"
#include "data/config.h"
#include "data/ordered_pipeline.h"
#include "text/document.h"

namespace fathom {

struct DocumentChunk {
  std::vector<Document> documents;
  DocumentCounts counts;
};

// The reader's options for the source.
DocumentOptions document_options(const TextSourceConfig& source);

namespace detail {

// About a megabyte of documents; false at the end.
bool read_chunk(DocumentReader& reader, std::vector<RawDocument>& chunk);
DocumentChunk read_documents_of(std::vector<RawDocument>&& raw, const DocumentOptions& options);
std::size_t bytes_of(const std::vector<RawDocument>& chunk);
// Of chunks that exist at once, several times as much as of the usual size: documents of up to
// max_document_bytes are processed one by one.
inline std::size_t max_chunk_bytes(int threads) {
  return static_cast<std::size_t>(threads) << 25;
}

}  // namespace detail

// Calls work(DocumentChunk) -> Result on `threads` threads and consume(Result) on the
// calling thread, in the order of the files: the outcome does not depend on timing.
// Progress advances by the bytes read from the disk. Throws the errors of the reader, of
// `work` and of `consume`.
template <class Result, class Work, class Consume>
void for_each_chunk(const TextSourceConfig& source, std::vector<std::string> files, int threads,
                    Progress& progress, Work work, Consume consume) {
  const DocumentOptions options = document_options(source);
  DocumentReader reader(std::move(files), options);
  std::uint64_t reported = 0;
  run_ordered<std::vector<RawDocument>, Result>(
      threads,
      [&](std::vector<RawDocument>& chunk) {
        const bool more = detail::read_chunk(reader, chunk);
        progress.advance(reader.file_bytes_read() - reported);
        reported = reader.file_bytes_read();
        return more;
      },
      [&](std::vector<RawDocument>&& chunk) {
        return work(detail::read_documents_of(std::move(chunk), options));
      },
      consume, detail::bytes_of, detail::max_chunk_bytes(threads));
}

}  // namespace fathom

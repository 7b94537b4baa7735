#include "data/document_chunks.h"

#include <fmt/format.h>

namespace fathom {

DocumentOptions document_options(const TextSourceConfig& source) {
  DocumentOptions options;
  options.format = source.format;
  options.content = source.content;
  options.fields = {source.field};
  options.separator = source.separator;
  options.skip_broken_lines = source.skip_broken_lines;
  options.remedy =
      fmt::format("mend the line or set skip_broken_lines = true for source '{}'", source.name);
  return options;
}

namespace detail {

bool read_chunk(DocumentReader& reader, std::vector<RawDocument>& chunk) {
  constexpr std::size_t chunk_bytes = 1 << 20;
  std::size_t bytes = 0;
  for (RawDocument document; bytes < chunk_bytes && reader.next(document); document = {}) {
    bytes += document.content.size();
    chunk.push_back(std::move(document));
  }
  return !chunk.empty();
}

std::size_t bytes_of(const std::vector<RawDocument>& chunk) {
  std::size_t bytes = 0;
  for (const RawDocument& document : chunk) bytes += document.content.size();
  return bytes;
}

DocumentChunk read_documents_of(std::vector<RawDocument>&& raw, const DocumentOptions& options) {
  DocumentChunk chunk;
  chunk.documents.reserve(raw.size());
  for (RawDocument& document : raw) {
    if (auto read = read_document(std::move(document), options, chunk.counts)) {
      chunk.documents.push_back(std::move(*read));
    }
  }
  return chunk;
}

}  // namespace detail

}  // namespace fathom

// From files to documents, in an order that depends on the config and the names of
// the files alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/config.h"
#include "io/compression.h"

namespace fathom {

// The files of `source.paths`. Throws an input Error when an entry stands for none.
std::vector<std::string> files_of(const SourceConfig& source);

// A document as it stands in its file; for JSONL still a line of JSON.
struct RawDocument {
  std::string content;
  std::string file;
  std::uint64_t line = 0;  // where it begins, from 1
  bool json = false;
};

// Reads the files of a source one after another. Cutting is cheap and happens on
// one thread; document_text() is the part to do on many.
class DocumentReader {
 public:
  DocumentReader(const SourceConfig& source, std::vector<std::string> files);

  bool next(RawDocument& document);       // false at the end
  std::uint64_t file_bytes_read() const;  // as on disk, for progress

 private:
  bool next_in_file(RawDocument& document);
  bool next_separated(RawDocument& document);

  SourceConfig source_;
  std::vector<std::string> files_;
  std::size_t file_ = 0;  // the next to open
  TextFormat format_ = TextFormat::text;
  std::optional<LineReader> lines_;
  std::uint64_t finished_bytes_ = 0;
};

// The document's text; nothing for a broken JSON line when the source skips them,
// else an input Error with file and line. Any thread may call it.
std::optional<std::string> document_text(RawDocument&& document, const SourceConfig& source);

}  // namespace fathom

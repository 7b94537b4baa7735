// Documents from files, for everything that reads text: data preparation, prompts,
// rows of conversations, tests of a tokenizer. Cutting a file is cheap and happens on
// one thread; read_document() does the rest on many.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "text/open_text.h"

namespace fathom {

// A document as it stands in its file; for JSON lines still a line of JSON.
struct RawDocument {
  std::string content;
  std::string file;
  std::uint64_t line = 0;  // where it begins, from 1
  bool json = false;

  std::string where() const { return file + ":" + std::to_string(line); }
};

struct Document {
  std::string text;      // valid UTF-8 unless invalid bytes were to be kept
  std::string source;    // "file:line"
  std::string metadata;  // the line of JSON it comes from; empty for other formats
};

// What happened to the documents of some files.
struct DocumentCounts {
  std::int64_t broken_lines = 0;     // left out
  std::int64_t empty_documents = 0;  // left out
  std::int64_t repaired_documents = 0, replaced_bytes = 0;
  std::string first_broken, first_repaired;  // "file:line"; empty: there was none

  // `later`: of documents that follow these.
  void add(const DocumentCounts& later);
};

// "7 bytes in 3 texts are not UTF-8 (the first: a.txt:1) ..." and the like, one line
// each; none when all was well.
std::vector<std::string> lines_about(const DocumentCounts& counts);

// One file being cut into documents. Each format has a source of its own.
class DocumentSource {
 public:
  virtual ~DocumentSource() = default;
  virtual bool next(RawDocument& document) = 0;  // false at the end
  virtual std::uint64_t file_position() const = 0;
};

// Throws the Errors of open_text().
std::unique_ptr<DocumentSource> open_documents(const std::string& path,
                                               const DocumentOptions& options);
// The same for what open_text() opened.
std::unique_ptr<DocumentSource> open_documents(const std::string& path, OpenedText opened,
                                               const DocumentOptions& options);

// The documents of files one after another.
class DocumentReader {
 public:
  DocumentReader(std::vector<std::string> files, DocumentOptions options)
      : files_(std::move(files)), options_(std::move(options)) {}

  bool next(RawDocument& document);       // false at the end
  std::uint64_t file_bytes_read() const;  // as on disk, for progress

 private:
  std::vector<std::string> files_;
  DocumentOptions options_;
  std::size_t file_ = 0;  // the next to open
  std::unique_ptr<DocumentSource> source_;
  std::uint64_t finished_bytes_ = 0;
};

// The document, its field taken out of JSON and its UTF-8 repaired. Nothing for an empty
// text (unless empty lines are kept), and for a broken line of JSON when these are
// skipped, else an input Error with file and line. Any thread may call it.
std::optional<Document> read_document(RawDocument&& raw, const DocumentOptions& options,
                                      DocumentCounts& counts);

// All documents of one file, such as a file of prompts.
std::vector<Document> read_documents(const std::string& path, const DocumentOptions& options,
                                     DocumentCounts& counts);

}  // namespace fathom

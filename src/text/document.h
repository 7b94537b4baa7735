// Reads documents from files, for every command that reads text: data preparation, prompts,
// conversations, tokenizer commands. One thread cuts files into raw documents, which is
// cheap; many threads can then call read_document().
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "text/open_text.h"
#include "text/page_problem.h"

namespace fathom {

// A document before read_document(): its text, for JSON lines and Parquet a row as JSON, for
// responses in WARC archives the HTTP response.
struct RawDocument {
  std::string content;
  std::string file;
  std::uint64_t line = 0;  // first line in the file, row of Parquet or record, from 1
  bool json = false;
  bool response = false;
  bool too_long = false;  // more than DocumentOptions::max_bytes, which are left out
  PageProblem problem = PageProblem::none;  // of a response that could not be read
  std::string members{};                    // of a response's row: "url" and "date" as JSON

  std::string where() const { return file + ":" + std::to_string(line); }
};

struct Document {
  std::string text;    // valid UTF-8 unless invalid bytes were to be kept
  std::string source;  // "file:line"
  // JSON: of JSON lines the line, of Parquet the columns read; of a web page {"text", "title",
  // ...}; else empty.
  std::string metadata;
};

// Web pages that were left out for one reason.
struct RefusedPages {
  std::int64_t pages = 0, bytes = 0;  // as they were read
  std::string first;                  // "file:line"
};

// Counts of documents that were left out or repaired.
struct DocumentCounts {
  std::int64_t broken_lines = 0;     // left out; documents that are too long, too
  std::int64_t empty_documents = 0;  // left out
  std::int64_t repaired_documents = 0, replaced_bytes = 0;
  std::string first_broken, first_repaired;  // "file:line"; empty when there is none
  std::int64_t unencoded_documents = 0;      // left out: the tokenizer failed on them
  std::string first_unencoded;               // "file:line"
  std::int64_t pages = 0;                    // web pages read, those left out included
  std::array<RefusedPages, page_problems> refused_pages{};  // by PageProblem

  // `later`: counts of documents that follow these.
  void add(const DocumentCounts& later);
  void add_unencoded(std::int64_t documents, const std::string& first);
};

// A message for each count that is not 0: "7 bytes in 3 texts are not UTF-8 (the first:
// a.txt:1) ...".
std::vector<std::string> lines_about(const DocumentCounts& counts);

// Cuts one file into documents. There is one class for each format.
class DocumentSource {
 public:
  virtual ~DocumentSource() = default;
  virtual bool next(RawDocument& document) = 0;  // false at the end
  virtual std::uint64_t file_position() const = 0;
};

// Throws the Errors of open_text().
std::unique_ptr<DocumentSource> open_documents(const std::string& path,
                                               const DocumentOptions& options);
// The same for a file that open_text() has opened.
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

// Takes the text out of JSON and web pages, and repairs its UTF-8. Returns none for a page that has
// none, for an empty text, unless
// empty lines are kept, and for a broken line of JSON when broken lines are skipped; when
// they are not, throws an input Error with file and line. So for a document that is too long. Any
// thread may call it.
std::optional<Document> read_document(RawDocument&& raw, const DocumentOptions& options,
                                      DocumentCounts& counts);

// All documents of one file, such as a file of prompts.
std::vector<Document> read_documents(const std::string& path, const DocumentOptions& options,
                                     DocumentCounts& counts);

}  // namespace fathom

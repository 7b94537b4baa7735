#include "text/document.h"

#include <algorithm>

#include "core/enum_names.h"
#include "core/error.h"
#include "io/line_reader.h"
#include "text/document_field.h"
#include "text/page_documents.h"
#include "text/parquet.h"
#include "text/utf8.h"
#include "text/warc.h"

namespace fathom {

namespace {

void drop_content(RawDocument& document) {
  document.too_long = true;
  document.content = {};
}

void drop_if_longer(RawDocument& document, std::size_t max_bytes) {
  if (document.content.size() > max_bytes) drop_content(document);
}

// The whole file is one document.
class WholeFile : public DocumentSource {
 public:
  WholeFile(std::string file, std::unique_ptr<ByteReader> bytes, const DocumentOptions& options)
      : file_(std::move(file)),
        bytes_(std::move(bytes)),
        page_(options.content == TextContent::html),
        max_bytes_(options.max_bytes) {}
  bool next(RawDocument& document) override {
    if (read_) return false;
    read_ = true;
    document = {page_ ? read_page_bytes(*bytes_) : read_all(*bytes_, max_bytes_), file_, 1, false};
    if (!page_) drop_if_longer(document, max_bytes_);
    return true;
  }
  std::uint64_t file_position() const override { return bytes_->file_position(); }

 private:
  std::string file_;
  std::unique_ptr<ByteReader> bytes_;
  bool page_;
  std::size_t max_bytes_;
  bool read_ = false;
};

// Each line is a document, of text or of JSON.
class Lines : public DocumentSource {
 public:
  Lines(std::string file, std::unique_ptr<ByteReader> bytes, bool json,
        const DocumentOptions& options)
      : file_(std::move(file)),
        lines_(std::move(bytes)),
        json_(json),
        keep_empty_(options.keep_empty_lines),
        max_bytes_(options.max_bytes) {}
  bool next(RawDocument& document) override {
    while (lines_.next(document.content, max_bytes_)) {
      if (lines_.was_cut()) {
        drop_content(document);
      } else if (is_blank(document.content)) {
        continue;
      }
      document.file = file_;
      document.line = lines_.line_number();
      document.json = json_;
      return true;
    }
    return false;
  }
  std::uint64_t file_position() const override { return lines_.file_position(); }

 private:
  bool is_blank(const std::string& line) const {
    if (json_) return line.find_first_not_of(" \t\r") == std::string::npos;
    return line.empty() && !keep_empty_;
  }

  std::string file_;
  LineReader lines_;
  bool json_, keep_empty_;
  std::size_t max_bytes_;
};

// Documents are separated by lines that equal the separator.
class Separated : public DocumentSource {
 public:
  Separated(std::string file, std::unique_ptr<ByteReader> bytes, const DocumentOptions& options)
      : file_(std::move(file)),
        lines_(std::move(bytes)),
        separator_(options.separator),
        max_bytes_(options.max_bytes) {}
  bool next(RawDocument& document) override {
    document = {"", file_, 0, false};
    while (lines_.next(line_, max_bytes_)) {
      if (line_ == separator_) {
        if (document.line > 0) return true;
        continue;
      }
      if (document.line == 0) document.line = lines_.line_number();
      if (document.too_long) continue;
      document.content.append(line_).append("\n");
      if (lines_.was_cut()) drop_content(document);
      drop_if_longer(document, max_bytes_);
    }
    return document.line > 0;
  }
  std::uint64_t file_position() const override { return lines_.file_position(); }

 private:
  std::string file_;
  LineReader lines_;
  std::string separator_, line_;
  std::size_t max_bytes_;
};

// Each row of a Parquet file is a document, of which the columns of text are read.
class Rows : public DocumentSource {
 public:
  Rows(std::string file, const DocumentOptions& options)
      : file_(std::move(file)),
        rows_(open_parquet(file_, options.fields)),
        max_bytes_(options.max_bytes) {}
  bool next(RawDocument& document) override {
    if (!rows_->next(document.content)) return false;
    document.file = file_;
    document.line = ++row_;
    document.json = true;
    drop_if_longer(document, max_bytes_);
    return true;
  }
  std::uint64_t file_position() const override { return rows_->file_position(); }

 private:
  std::string file_;
  std::unique_ptr<ParquetReader> rows_;
  std::size_t max_bytes_;
  std::uint64_t row_ = 0;
};

// Of a document that is too long; throws where these are not skipped.
void count_too_long(const RawDocument& raw, const DocumentOptions& options,
                    DocumentCounts& counts) {
  if (!options.skip_broken_lines) {
    fail_input("{}: this document has more than {} bytes; {}", raw.where(), options.max_bytes,
               options.remedy);
  }
  ++counts.broken_lines;
  if (counts.first_broken.empty()) counts.first_broken = raw.where();
}

// `raw` gives the position where the text begins.
void repair(std::string& text, const RawDocument& raw, DocumentCounts& counts) {
  const std::size_t valid = utf8::valid_prefix(text);
  if (valid == text.size()) return;
  if (counts.first_repaired.empty()) {
    // In JSON the whole text is in one line.
    const auto lines =
        raw.json
            ? 0
            : std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(valid), '\n');
    counts.first_repaired =
        fmt::format("{}:{}", raw.file, raw.line + static_cast<std::uint64_t>(lines));
  }
  ++counts.repaired_documents;
  counts.replaced_bytes += static_cast<std::int64_t>(utf8::replace_invalid(text));
}

}  // namespace

void DocumentCounts::add(const DocumentCounts& later) {
  broken_lines += later.broken_lines;
  empty_documents += later.empty_documents;
  repaired_documents += later.repaired_documents;
  replaced_bytes += later.replaced_bytes;
  if (first_broken.empty()) first_broken = later.first_broken;
  if (first_repaired.empty()) first_repaired = later.first_repaired;
  add_unencoded(later.unencoded_documents, later.first_unencoded);
  pages += later.pages;
  for (std::size_t i = 0; i < page_problems; ++i) {
    RefusedPages& refused = refused_pages[i];
    refused.pages += later.refused_pages[i].pages;
    refused.bytes += later.refused_pages[i].bytes;
    if (refused.first.empty()) refused.first = later.refused_pages[i].first;
  }
}

void DocumentCounts::add_unencoded(std::int64_t documents, const std::string& first) {
  unencoded_documents += documents;
  if (first_unencoded.empty()) first_unencoded = first;
}

std::vector<std::string> lines_about(const DocumentCounts& counts) {
  std::vector<std::string> lines;
  if (counts.broken_lines > 0) {
    lines.push_back(fmt::format("{} broken lines are left out (the first: {})", counts.broken_lines,
                                counts.first_broken));
  }
  if (counts.unencoded_documents > 0) {
    lines.push_back(
        fmt::format("{} documents that the tokenizer cannot encode are left out (the first: {})",
                    counts.unencoded_documents, counts.first_unencoded));
  }
  if (counts.repaired_documents > 0) {
    lines.push_back(fmt::format(
        "{} bytes in {} texts are not UTF-8 (the first: {}); U+FFFD replaces each broken "
        "character",
        counts.replaced_bytes, counts.repaired_documents, counts.first_repaired));
  }
  for (std::size_t i = 0; i < page_problems; ++i) {
    const RefusedPages& refused = counts.refused_pages[i];
    if (refused.pages == 0) continue;
    lines.push_back(fmt::format("{} of {} web pages are left out: {} (the first: {})",
                                refused.pages, counts.pages, enum_name(static_cast<PageProblem>(i)),
                                refused.first));
  }
  return lines;
}

std::unique_ptr<DocumentSource> open_documents(const std::string& path,
                                               const DocumentOptions& options) {
  return open_documents(path, open_text(path, options), options);
}

std::unique_ptr<DocumentSource> open_documents(const std::string& path, OpenedText opened,
                                               const DocumentOptions& options) {
  switch (opened.format) {
    case TextFormat::lines:
    case TextFormat::jsonl:
      return std::make_unique<Lines>(path, std::move(opened.bytes),
                                     opened.format == TextFormat::jsonl, options);
    case TextFormat::separated:
      return std::make_unique<Separated>(path, std::move(opened.bytes), options);
    case TextFormat::parquet:
      return std::make_unique<Rows>(path, options);
    case TextFormat::warc:
      return std::make_unique<WarcDocuments>(path, std::move(opened.bytes), options.content,
                                             options.skip_broken_lines);
    case TextFormat::text:
    case TextFormat::automatic:
      break;
  }
  return std::make_unique<WholeFile>(path, std::move(opened.bytes), options);
}

bool DocumentReader::next(RawDocument& document) {
  for (;;) {
    if (source_) {
      if (source_->next(document)) return true;
      finished_bytes_ += source_->file_position();
      source_.reset();
    }
    if (file_ == files_.size()) return false;
    source_ = open_documents(files_[file_++], options_);
  }
}

std::uint64_t DocumentReader::file_bytes_read() const {
  return finished_bytes_ + (source_ ? source_->file_position() : 0);
}

std::optional<Document> read_document(RawDocument&& raw, const DocumentOptions& options,
                                      DocumentCounts& counts) {
  if (raw.too_long) {
    count_too_long(raw, options, counts);
    return std::nullopt;
  }
  if (options.content == TextContent::html) {
    return read_page_document(std::move(raw), options, counts);
  }
  Document document;
  document.source = raw.where();
  if (raw.json) {
    auto field = find_field(raw, options, counts);
    if (!field) return std::nullopt;
    document.text = std::move(field->text);
    document.metadata = std::move(raw.content);
  } else {
    document.text = std::move(raw.content);
  }
  if (document.text.empty() && !options.keep_empty_lines) {
    ++counts.empty_documents;
    return std::nullopt;
  }
  if (options.invalid_utf8 == InvalidUtf8::replace) repair(document.text, raw, counts);
  return document;
}

std::vector<Document> read_documents(const std::string& path, const DocumentOptions& options,
                                     DocumentCounts& counts) {
  DocumentReader reader({path}, options);
  std::vector<Document> documents;
  for (RawDocument raw; reader.next(raw); raw = {}) {
    if (auto document = read_document(std::move(raw), options, counts)) {
      documents.push_back(std::move(*document));
    }
  }
  return documents;
}

}  // namespace fathom

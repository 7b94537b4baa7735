// Opens a text file: unpacks it, finds its format, and refuses content that has no text.
// All readers of documents use it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/byte_reader.h"
#include "text/text_format.h"

namespace fathom {

// What to do with invalid UTF-8.
enum class InvalidUtf8 {
  replace,  // make each broken character U+FFFD and count it; refuse files of other encodings
  keep,     // leave all bytes as they are
};

// Of one document, as it is read: a text as large as this already takes several times as much memory
// on its way, and a few kilobytes of a packed file can hold any number of bytes.
inline constexpr std::size_t max_document_bytes = std::size_t{1} << 30;

struct DocumentOptions {
  TextFormat format = TextFormat::automatic;
  TextContent content = TextContent::text;
  // For `automatic`: the format of a file that is neither Parquet nor JSON lines.
  TextFormat otherwise = TextFormat::text;
  // jsonl and parquet: keys of the text; the first one that holds a string counts.
  std::vector<std::string> fields = {"text"};
  bool bare_strings = false;       // jsonl: a line may be a string instead of an object
  std::string separator;           // separated: the line between documents
  bool skip_broken_lines = false;  // jsonl: count broken lines instead of failing
  bool keep_empty_lines = false;   // an empty line, or an empty file, is a document
  std::size_t max_bytes = max_document_bytes;
  InvalidUtf8 invalid_utf8 = InvalidUtf8::replace;
  std::string remedy = "mend or remove the line";  // ends the message of a broken line
};

struct OpenedText {
  std::unique_ptr<PeekReader> bytes;  // behind the byte order mark; null for parquet
  TextFormat format;                  // never automatic
};

// For `automatic` the content decides the format; where it leaves the format open, a name in
// .jsonl, .ndjson or .json (before .gz and the like) makes a file JSON lines. A Parquet file is
// read as one when the format is jsonl, too. Throws an input Error that names the file when it
// cannot be read, when it has no text ("x.txt: holds a PDF document; ..."), when its text is
// clearly not UTF-8, when it cannot have the format, and, for `automatic`, when it is JSON but not
// one object per line. A file that is one web page (TextContent::html) is not refused for what it
// holds: read_document() counts it.
OpenedText open_text(const std::string& path, const DocumentOptions& options);

}  // namespace fathom

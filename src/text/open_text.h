// Opens a text file: unpacked, known for what it is, and refused when it isn't text.
// Every reader of documents begins here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/byte_reader.h"
#include "text/text_format.h"

namespace fathom {

// What becomes of bytes that are no UTF-8.
enum class InvalidUtf8 {
  replace,  // each broken character becomes U+FFFD and is counted; a file of another
            // encoding is refused
  keep,     // bytes stay as they are, whatever they are
};

struct DocumentOptions {
  TextFormat format = TextFormat::automatic;
  // For `automatic`: what a file is that isn't JSON lines.
  TextFormat otherwise = TextFormat::text;
  // jsonl: the keys that may hold the text, the first that does counts.
  std::vector<std::string> fields = {"text"};
  bool bare_strings = false;       // jsonl: a line may be a string instead of an object
  std::string separator;           // separated: the line between documents
  bool skip_broken_lines = false;  // jsonl: count broken lines instead of failing
  bool keep_empty_lines = false;   // lines: an empty line is a document
  InvalidUtf8 invalid_utf8 = InvalidUtf8::replace;
  std::string remedy = "mend or remove the line";  // ends the message of a broken line
};

struct OpenedText {
  std::unique_ptr<PeekReader> bytes;  // behind the byte order mark, if there was one
  TextFormat format;                  // never automatic
};

// Throws an input Error that names the file when it cannot be read, when it isn't text
// ("x.txt: holds a PDF document; ..."), when its text is clearly no UTF-8, and, for
// `automatic`, when it is JSON but not a line an object. Packed files are unpacked. A
// name that ends in .jsonl, .ndjson or .json (before .gz and the like) has the last word
// on content that is neither clearly JSON lines nor clearly anything else.
OpenedText open_text(const std::string& path, const DocumentOptions& options);

}  // namespace fathom

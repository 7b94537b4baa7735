// How a file is cut into documents.
#pragma once

#include <span>
#include <string_view>

namespace fathom {

enum class TextFormat {
  automatic,  // parquet, warc or jsonl when the content is that, else text
  text,       // the whole file is one document
  lines,      // each line is a document
  separated,  // a line equal to the separator divides two documents
  jsonl,      // each line is a JSON object with the document in one of its fields
  parquet,    // each row is a document, in one of the columns
  warc,       // each record of type conversion (WET files), or response, is a document
};
inline std::span<const std::string_view> enum_names(TextFormat) {
  static constexpr std::string_view names[] = {"auto",      "text",  "lines",
                                               "separated", "jsonl", "parquet", "warc"};
  return names;
}

// What the documents are.
enum class TextContent {
  text,  // text, as it is
  html,  // web pages, whose main text is taken; in WARC archives the records of type response
};
inline std::span<const std::string_view> enum_names(TextContent) {
  static constexpr std::string_view names[] = {"text", "html"};
  return names;
}

}  // namespace fathom

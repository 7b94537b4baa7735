// How a file is cut into documents.
#pragma once

#include <span>
#include <string_view>

namespace fathom {

enum class TextFormat {
  automatic,  // JSON lines when the content is that, else text
  text,       // the whole file is one document
  lines,      // each line is one
  separated,  // lines that equal the separator stand between documents
  jsonl,      // one JSON object a line, the document in one of its fields
};
inline std::span<const std::string_view> enum_names(TextFormat) {
  static constexpr std::string_view names[] = {"auto", "text", "lines", "separated", "jsonl"};
  return names;
}

}  // namespace fathom

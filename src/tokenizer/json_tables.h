// The two long lists of a tokenizer.json, its vocabulary and its merges, read straight from the
// text: as values of a JSON document they would take most of the time to open a tokenizer. Internal
// to src/tokenizer; json_read.cpp uses it.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fathom::tokenizer {

struct JsonTables {
  std::vector<std::pair<std::string_view, std::int64_t>> vocab;  // in the file's order
  std::vector<std::pair<std::string_view, std::string_view>> merges;
  std::string rest;  // the document, whose model has an empty vocab and no merges instead
  std::deque<std::string> unescaped;  // texts that are not in the file as they are
};

// Views of `text`, which must outlive them. nullopt for anything unusual in the lists or around
// them, mistakes included: the reader of the whole document tells what they are.
std::optional<JsonTables> scan_json_tables(std::string_view text);

}  // namespace fathom::tokenizer

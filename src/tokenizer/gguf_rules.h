// llama.cpp's names of the rules that cut text before BPE. Internal to src/tokenizer.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/spec.h"

namespace fathom::tokenizer {

struct GgufRules {
  std::vector<PreTokenizerStep> steps;
  bool nfc = false;            // text is normalised first
  bool ignore_merges = false;  // a piece that is a token is not cut further
};

// Rules by the value of "tokenizer.ggml.pre"; nullopt: not known.
std::optional<GgufRules> gguf_rules(std::string_view name);

struct GgufRulesName {
  std::string name;
  bool exact = true;  // otherwise only alike: the names of the nearest rules
};
// The name of the rules that cut as `spec` does; nullopt: llama.cpp has none.
std::optional<GgufRulesName> gguf_rules_name(const TokenizerSpec& spec);

}  // namespace fathom::tokenizer

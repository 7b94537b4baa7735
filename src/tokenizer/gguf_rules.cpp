#include "tokenizer/gguf_rules.h"

#include <algorithm>

#include "tokenizer/pre_tokenizer.h"

namespace fathom::tokenizer {
namespace {

using PreTokenizerKind = PreTokenizerStep::Kind;

PreTokenizerStep split(const char* pattern) {
  PreTokenizerStep step;
  step.pattern = {PatternSpec::Kind::regex, pattern};
  return step;
}

PreTokenizerStep single_digits() {
  PreTokenizerStep step;
  step.kind = PreTokenizerKind::digits;
  step.individual_digits = true;
  return step;
}

PreTokenizerStep byte_level(bool use_regex) {
  PreTokenizerStep step;
  step.kind = PreTokenizerKind::byte_level;
  step.use_regex = use_regex;
  return step;
}

// Words with one character before them, up to `digits` digits, punctuation with line ends.
GgufRules words_of_llama3(const std::string& digits) {
  const std::string pattern = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)" + digits +
                              R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  return {{split(pattern.c_str()), byte_level(false)}};
}

// Of DeepSeek LLM. The class of letters is that of cased letters, which its own files list.
GgufRules words_of_deepseek() {
  return {{split(R"([\r\n])"), split(R"(\s?[\p{Lu}\p{Ll}\p{Lt}]+)"),
           split(R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)"), split(R"(\s+$)"),
           split("[一-龥ࠀ-一가-퟿]+"), single_digits(), byte_level(false)}};
}

GgufRules words_of_deepseek_coder() {
  return {{split(R"([\r\n])"), split(R"(\s?\p{L}+)"), split(R"(\s?\p{P}+)"),
           split("[一-龥ࠀ-一가-퟿]+"), single_digits(), byte_level(false)}};
}

// Offsets do not change ids, nor does a ByteLevel that only spells bytes where another follows.
std::vector<PreTokenizerStep> plain(std::vector<PreTokenizerStep> steps) {
  for (PreTokenizerStep& step : steps) step.trim_offsets = true;
  return steps;
}

constexpr std::string_view rules_names[] = {"gpt-2", "smollm",       "llama-bpe",
                                            "qwen2", "deepseek-llm", "deepseek-coder"};

// The rules of DeepSeek LLM as its tokenizer.json lists them: the letters are a long list of
// ranges, so that the other steps tell.
bool is_deepseek(const std::vector<PreTokenizerStep>& steps) {
  const std::vector<PreTokenizerStep> known = words_of_deepseek().steps;
  if (steps.size() != known.size()) return false;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const bool letters = i == 1 && steps[i].pattern.text.starts_with(R"(\s?[A-Za-z)");
    if (!letters && !(steps[i] == known[i])) return false;
  }
  return true;
}

}  // namespace

std::optional<GgufRules> gguf_rules(std::string_view name) {
  if (name == "gpt-2") return GgufRules{{byte_level(true)}};
  if (name == "smollm" || name == "starcoder" || name == "refact") {
    return GgufRules{{single_digits(), byte_level(true)}};
  }
  if (name == "llama-bpe" || name == "llama3" || name == "llama-v3") {
    GgufRules rules = words_of_llama3(R"(\p{N}{1,3})");
    rules.ignore_merges = true;
    return rules;
  }
  if (name == "qwen2") {
    GgufRules rules = words_of_llama3(R"(\p{N})");
    rules.nfc = true;
    return rules;
  }
  if (name == "deepseek-llm") return words_of_deepseek();
  if (name == "deepseek-coder") return words_of_deepseek_coder();
  return std::nullopt;
}

std::optional<GgufRulesName> gguf_rules_name(const TokenizerSpec& spec) {
  const std::vector<PreTokenizerStep> steps = plain(spec.pre_tokenizers);
  for (const std::string_view name : rules_names) {
    if (steps == gguf_rules(name)->steps) return GgufRulesName{std::string(name)};
  }
  if (is_deepseek(steps)) return GgufRulesName{"deepseek-llm"};
  if (steps == plain(default_pre_tokenizers())) return GgufRulesName{"deepseek-llm", false};
  return std::nullopt;
}

}  // namespace fathom::tokenizer

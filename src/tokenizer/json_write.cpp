// Writes a TokenizerSpec as tokenizer.json, in Hugging Face's order of keys, with one
// token or merge per line.
#include <nlohmann/json.hpp>

#include "tokenizer/spec.h"

namespace fathom::tokenizer {
namespace {

using nlohmann::ordered_json;

ordered_json pattern_json(const PatternSpec& pattern) {
  return {{pattern.kind == PatternSpec::Kind::regex ? "Regex" : "String", pattern.text}};
}

ordered_json step_json(const NormalizerStep& step) {
  using Kind = NormalizerStep::Kind;
  switch (step.kind) {
    case Kind::nfc:
      return {{"type", "NFC"}};
    case Kind::nfd:
      return {{"type", "NFD"}};
    case Kind::nfkc:
      return {{"type", "NFKC"}};
    case Kind::nfkd:
      return {{"type", "NFKD"}};
    case Kind::prepend:
      return {{"type", "Prepend"}, {"prepend", step.content}};
    case Kind::replace:
      return {
          {"type", "Replace"}, {"pattern", pattern_json(step.pattern)}, {"content", step.content}};
    case Kind::lowercase:
      return {{"type", "Lowercase"}};
    case Kind::strip:
      return {
          {"type", "Strip"}, {"strip_left", step.strip_left}, {"strip_right", step.strip_right}};
    case Kind::strip_accents:
      return {{"type", "StripAccents"}};
    case Kind::nmt:
      return {{"type", "Nmt"}};
    case Kind::bert:
      break;
  }
  ordered_json json = {{"type", "BertNormalizer"},
                       {"clean_text", step.clean_text},
                       {"handle_chinese_chars", step.handle_chinese_chars},
                       {"strip_accents", nullptr},
                       {"lowercase", step.lowercase}};
  if (step.strip_accents) json["strip_accents"] = *step.strip_accents;
  return json;
}

template <class Step>
ordered_json byte_level_json(const Step& step) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", step.add_prefix_space},
          {"trim_offsets", step.trim_offsets},
          {"use_regex", step.use_regex}};
}

ordered_json metaspace_json(const std::string& character, PrependScheme prepend, bool split) {
  constexpr const char* schemes[] = {"always", "first", "never"};
  return {{"type", "Metaspace"},
          {"replacement", character},
          {"prepend_scheme", schemes[static_cast<std::size_t>(prepend)]},
          {"split", split}};
}

ordered_json step_json(const PreTokenizerStep& step) {
  using Kind = PreTokenizerStep::Kind;
  constexpr const char* behaviors[] = {"Removed", "Isolated", "MergedWithPrevious",
                                       "MergedWithNext", "Contiguous"};
  const char* const behavior = behaviors[static_cast<std::size_t>(step.behavior)];
  switch (step.kind) {
    case Kind::byte_level:
      return byte_level_json(step);
    case Kind::digits:
      return {{"type", "Digits"}, {"individual_digits", step.individual_digits}};
    case Kind::metaspace:
      return metaspace_json(step.character, step.prepend, step.split_words);
    case Kind::whitespace:
      return {{"type", "Whitespace"}};
    case Kind::whitespace_split:
      return {{"type", "WhitespaceSplit"}};
    case Kind::punctuation:
      return {{"type", "Punctuation"}, {"behavior", behavior}};
    case Kind::bert:
      return {{"type", "BertPreTokenizer"}};
    case Kind::char_delimiter:
      return {{"type", "CharDelimiterSplit"}, {"delimiter", step.character}};
    case Kind::split:
      break;
  }
  return {{"type", "Split"},
          {"pattern", pattern_json(step.pattern)},
          {"behavior", behavior},
          {"invert", step.invert}};
}

ordered_json template_json(const std::vector<TemplateItem>& items) {
  auto list = ordered_json::array();
  for (const auto& item : items) {
    const bool special = !item.special_token.empty();
    list.push_back(
        {{special ? "SpecialToken" : "Sequence",
          {{"id", special ? item.special_token : item.sequence}, {"type_id", item.type_id}}}});
  }
  return list;
}

ordered_json step_json(const PostProcessorStep& step) {
  using Kind = PostProcessorStep::Kind;
  if (step.kind == Kind::byte_level) return byte_level_json(step);
  if (step.kind == Kind::bert || step.kind == Kind::roberta) {
    const auto token = [](const auto& t) { return ordered_json::array({t.content, t.id}); };
    ordered_json json = {{"type", step.kind == Kind::bert ? "BertProcessing" : "RobertaProcessing"},
                         {"sep", token(step.end)},
                         {"cls", token(step.begin)}};
    if (step.kind == Kind::bert) return json;
    json["trim_offsets"] = step.trim_offsets;
    json["add_prefix_space"] = step.add_prefix_space;
    return json;
  }
  auto tokens = ordered_json::object();
  for (const auto& token : step.special_tokens) {
    tokens[token.name] = {{"id", token.name}, {"ids", token.ids}, {"tokens", token.tokens}};
  }
  return {{"type", "TemplateProcessing"},
          {"single", template_json(step.single)},
          {"pair", template_json(step.pair)},
          {"special_tokens", tokens}};
}

ordered_json step_json(const DecoderStep& step) {
  using Kind = DecoderStep::Kind;
  switch (step.kind) {
    case Kind::byte_level:
      return byte_level_json(step);
    case Kind::replace:
      return {
          {"type", "Replace"}, {"pattern", pattern_json(step.pattern)}, {"content", step.content}};
    case Kind::byte_fallback:
      return {{"type", "ByteFallback"}};
    case Kind::fuse:
      return {{"type", "Fuse"}};
    case Kind::metaspace:
      return metaspace_json(step.content, step.prepend, step.split_words);
    case Kind::bpe:
      return {{"type", "BPEDecoder"}, {"suffix", step.content}};
    case Kind::strip:
      break;
  }
  return {{"type", "Strip"}, {"content", step.content}, {"start", step.start}, {"stop", step.stop}};
}

// null, the one step, or a Sequence of them.
template <class Step>
std::string steps_json(const std::vector<Step>& steps, const char* list_key) {
  if (steps.empty()) return "null";
  if (steps.size() == 1) return step_json(steps[0]).dump();
  auto list = ordered_json::array();
  for (const auto& step : steps) list.push_back(step_json(step));
  return ordered_json{{"type", "Sequence"}, {list_key, list}}.dump();
}

std::string quoted(const std::string& text) {
  return ordered_json(text).dump();
}

std::string added_token_json(const AddedToken& token) {
  return ordered_json{
      {"id", token.id},          {"content", token.content}, {"single_word", token.single_word},
      {"lstrip", token.lstrip},  {"rstrip", token.rstrip},   {"normalized", token.normalized},
      {"special", token.special}}
      .dump();
}

std::string model_json(const BpeSpec& model) {
  const auto flag = [](bool value) { return value ? "true" : "false"; };
  std::string out = "{\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": ";
  out += model.unk_token ? quoted(*model.unk_token) : "null";
  const auto affix = [](const std::string& text) { return text.empty() ? "null" : quoted(text); };
  out += ",\n    \"continuing_subword_prefix\": " + affix(model.continuing_subword_prefix);
  out += ",\n    \"end_of_word_suffix\": " + affix(model.end_of_word_suffix);
  out += std::string(",\n    \"fuse_unk\": ") + flag(model.fuse_unk);
  out += std::string(",\n    \"byte_fallback\": ") + flag(model.byte_fallback);
  out += std::string(",\n    \"ignore_merges\": ") + flag(model.ignore_merges);
  out += ",\n    \"vocab\": {";
  const char* separator = "\n      ";
  for (std::size_t id = 0; id < model.vocab.size(); ++id) {
    if (model.vocab[id].empty()) continue;
    out += separator + quoted(model.vocab[id]) + ": " + std::to_string(id);
    separator = ",\n      ";
  }
  out += "\n    },\n    \"merges\": [";
  separator = "\n      ";
  for (const auto& [left, right, result] : model.merges) {
    out += separator;
    out += "[" + quoted(model.vocab[static_cast<std::size_t>(left)]) + ", " +
           quoted(model.vocab[static_cast<std::size_t>(right)]) + "]";
    separator = ",\n      ";
  }
  return out + "\n    ]\n  }";
}

}  // namespace

std::string write_spec(const TokenizerSpec& spec) {
  std::string out =
      "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n"
      "  \"added_tokens\": [";
  const char* separator = "\n    ";
  for (const auto& token : spec.added_tokens) {
    out += separator + added_token_json(token);
    separator = ",\n    ";
  }
  out += "\n  ],\n  \"normalizer\": " + steps_json(spec.normalizers, "normalizers");
  out += ",\n  \"pre_tokenizer\": " + steps_json(spec.pre_tokenizers, "pretokenizers");
  out += ",\n  \"post_processor\": " + steps_json(spec.post_processors, "processors");
  out += ",\n  \"decoder\": " + steps_json(spec.decoders, "decoders");
  out += ",\n  \"model\": " + model_json(spec.model) + "\n}\n";
  return out;
}

}  // namespace fathom::tokenizer

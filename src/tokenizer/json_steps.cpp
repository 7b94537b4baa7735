#include "tokenizer/json_steps.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "text/utf8.h"
#include "tokenizer/pair_map.h"

namespace fathom::tokenizer {
namespace {

PatternSpec read_pattern(const JsonValue& value) {
  if (value.has("Regex")) return {PatternSpec::Kind::regex, value.at("Regex").text()};
  return {PatternSpec::Kind::string, value.at("String").text()};
}

SplitBehavior read_behavior(const JsonValue& value) {
  constexpr std::array<std::string_view, 5> names = {"Removed", "Isolated", "MergedWithPrevious",
                                                     "MergedWithNext", "Contiguous"};
  const auto found = std::ranges::find(names, std::string_view(value.text()));
  if (found == names.end()) {
    value.refuse(
        fmt::format("is '{}', not one of {}", value.text().substr(0, 60), fmt::join(names, ", ")));
  }
  return static_cast<SplitBehavior>(found - names.begin());
}

// A string of exactly one character.
std::string read_character(const JsonValue& value) {
  const std::string& text = value.text();
  if (text.empty() || utf8::length(text[0]) != text.size()) {
    value.refuse(fmt::format("is {}, not one character", value.shown()));
  }
  return text;
}

// Old files have add_prefix_space in place of prepend_scheme.
PrependScheme read_prepend_scheme(const JsonValue& value) {
  const bool add_space = value.boolean_or("add_prefix_space", true);
  const auto scheme = value.find("prepend_scheme");
  if (!scheme) return add_space ? PrependScheme::always : PrependScheme::never;
  const std::string& name = scheme->text();
  if (name == "never") return PrependScheme::never;
  if (name != "always" && name != "first") {
    scheme->refuse(fmt::format("is '{}', not one of always, first, never", name.substr(0, 60)));
  }
  if (!add_space) scheme->refuse("contradicts 'add_prefix_space', which is false");
  return name == "always" ? PrependScheme::always : PrependScheme::first;
}

std::int32_t read_token_id(const JsonValue& value) {
  return static_cast<std::int32_t>(value.integer(0, PairMap::max_ids - 1));
}

// ["</s>", 2]
PostProcessorStep::Token read_token(const JsonValue& value) {
  const auto parts = value.items();
  if (parts.size() != 2) value.refuse("is no [token, id]");
  return {parts[0].text(), read_token_id(parts[1])};
}

template <class Step>
void read_byte_level(const JsonValue& value, Step& step) {
  step.add_prefix_space = value.boolean_or("add_prefix_space", true);
  step.trim_offsets = value.boolean_or("trim_offsets", true);
  step.use_regex = value.boolean_or("use_regex", true);
}

std::vector<TemplateItem> read_template(const JsonValue& value) {
  std::vector<TemplateItem> items;
  for (const auto& item : value.items()) {
    TemplateItem read;
    const bool special = item.has("SpecialToken");
    const JsonValue body = item.at(special ? "SpecialToken" : "Sequence");
    (special ? read.special_token : read.sequence) = body.at("id").text();
    if (!special && read.sequence != "A" && read.sequence != "B") {
      body.at("id").refuse("is neither \"A\" nor \"B\"");
    }
    if (special && read.special_token.empty()) body.at("id").refuse("is empty");
    read.type_id = body.has("type_id") ? body.at("type_id").integer(0, 1 << 30) : 0;
    items.push_back(std::move(read));
  }
  return items;
}

}  // namespace

void refuse_type(const JsonValue& value, const char* known) {
  const JsonValue type = value.at("type");
  type.refuse(fmt::format("is '{}', which is not supported; known are {}",
                          type.text().substr(0, 60), known));
}

NormalizerStep read_normalizer(const JsonValue& value) {
  using Kind = NormalizerStep::Kind;
  const std::string type = value.at("type").text();
  NormalizerStep step;
  if (type == "NFC") {
    step.kind = Kind::nfc;
  } else if (type == "NFD") {
    step.kind = Kind::nfd;
  } else if (type == "NFKC") {
    step.kind = Kind::nfkc;
  } else if (type == "NFKD") {
    step.kind = Kind::nfkd;
  } else if (type == "Prepend") {
    step.kind = Kind::prepend;
    step.content = value.at("prepend").text();
  } else if (type == "Replace") {
    step.kind = Kind::replace;
    step.pattern = read_pattern(value.at("pattern"));
    step.content = value.at("content").text();
  } else if (type == "Lowercase") {
    step.kind = Kind::lowercase;
  } else if (type == "Strip") {
    step.kind = Kind::strip;
    step.strip_left = value.at("strip_left").boolean();
    step.strip_right = value.at("strip_right").boolean();
  } else if (type == "StripAccents") {
    step.kind = Kind::strip_accents;
  } else if (type == "Nmt") {
    step.kind = Kind::nmt;
  } else if (type == "BertNormalizer") {
    step.kind = Kind::bert;
    step.clean_text = value.at("clean_text").boolean();
    step.handle_chinese_chars = value.at("handle_chinese_chars").boolean();
    step.lowercase = value.at("lowercase").boolean();
    if (const auto strip = value.find("strip_accents")) step.strip_accents = strip->boolean();
  } else {
    refuse_type(value,
                "Sequence, NFC, NFD, NFKC, NFKD, Prepend, Replace, Lowercase, Strip, StripAccents, "
                "Nmt, BertNormalizer");
  }
  return step;
}

PreTokenizerStep read_pre_tokenizer(const JsonValue& value) {
  using Kind = PreTokenizerStep::Kind;
  const std::string type = value.at("type").text();
  PreTokenizerStep step;
  if (type == "Split") {
    step.kind = Kind::split;
    step.pattern = read_pattern(value.at("pattern"));
    step.behavior = read_behavior(value.at("behavior"));
    step.invert = value.boolean_or("invert", false);
  } else if (type == "Digits") {
    step.kind = Kind::digits;
    step.individual_digits = value.boolean_or("individual_digits", false);
  } else if (type == "ByteLevel") {
    step.kind = Kind::byte_level;
    read_byte_level(value, step);
    step.add_prefix_space = value.at("add_prefix_space").boolean();
  } else if (type == "Metaspace") {
    step.kind = Kind::metaspace;
    step.character = read_character(value.at("replacement"));
    step.prepend = read_prepend_scheme(value);
    step.split_words = value.boolean_or("split", true);
  } else if (type == "Whitespace") {
    step.kind = Kind::whitespace;
  } else if (type == "WhitespaceSplit") {
    step.kind = Kind::whitespace_split;
  } else if (type == "Punctuation") {
    step.kind = Kind::punctuation;
    if (const auto behavior = value.find("behavior")) step.behavior = read_behavior(*behavior);
  } else if (type == "BertPreTokenizer") {
    step.kind = Kind::bert;
  } else if (type == "CharDelimiterSplit") {
    step.kind = Kind::char_delimiter;
    step.character = read_character(value.at("delimiter"));
  } else {
    refuse_type(value,
                "Sequence, Split, Digits, ByteLevel, Metaspace, Whitespace, WhitespaceSplit, "
                "Punctuation, BertPreTokenizer, CharDelimiterSplit");
  }
  return step;
}

PostProcessorStep read_post_processor(const JsonValue& value) {
  using Kind = PostProcessorStep::Kind;
  const std::string type = value.at("type").text();
  PostProcessorStep step;
  if (type == "ByteLevel") {
    read_byte_level(value, step);
  } else if (type == "TemplateProcessing") {
    step.kind = Kind::template_processing;
    step.single = read_template(value.at("single"));
    if (value.has("pair")) step.pair = read_template(value.at("pair"));
    const JsonValue tokens = value.at("special_tokens");
    for (const std::string& name : tokens.keys()) {
      const JsonValue token = tokens.at(name);
      TemplateToken read{name, {}, {}};
      for (const auto& id : token.at("ids").items()) {
        read.ids.push_back(read_token_id(id));
      }
      for (const auto& text : token.at("tokens").items()) read.tokens.push_back(text.text());
      step.special_tokens.push_back(std::move(read));
    }
  } else if (type == "BertProcessing" || type == "RobertaProcessing") {
    step.kind = type == "BertProcessing" ? Kind::bert : Kind::roberta;
    step.begin = read_token(value.at("cls"));
    step.end = read_token(value.at("sep"));
    step.trim_offsets = value.boolean_or("trim_offsets", true);
    step.add_prefix_space = value.boolean_or("add_prefix_space", true);
  } else {
    refuse_type(value,
                "Sequence, ByteLevel, TemplateProcessing, BertProcessing, RobertaProcessing");
  }
  return step;
}

DecoderStep read_decoder(const JsonValue& value) {
  using Kind = DecoderStep::Kind;
  const std::string type = value.at("type").text();
  DecoderStep step;
  if (type == "ByteLevel") {
    read_byte_level(value, step);
  } else if (type == "Replace") {
    step.kind = Kind::replace;
    step.pattern = read_pattern(value.at("pattern"));
    step.content = value.at("content").text();
  } else if (type == "ByteFallback") {
    step.kind = Kind::byte_fallback;
  } else if (type == "Fuse") {
    step.kind = Kind::fuse;
  } else if (type == "Strip") {
    step.kind = Kind::strip;
    step.content = read_character(value.at("content"));
    step.start = value.at("start").integer(0, 1000);
    step.stop = value.at("stop").integer(0, 1000);
  } else if (type == "Metaspace") {
    step.kind = Kind::metaspace;
    step.content = read_character(value.at("replacement"));
    step.prepend = read_prepend_scheme(value);
    step.split_words = value.boolean_or("split", true);
  } else if (type == "BPEDecoder") {
    step.kind = Kind::bpe;
    step.content = value.at("suffix").text();
    if (step.content.empty()) value.at("suffix").refuse("is empty");
  } else {
    refuse_type(value,
                "Sequence, ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace, BPEDecoder");
  }
  return step;
}

}  // namespace fathom::tokenizer

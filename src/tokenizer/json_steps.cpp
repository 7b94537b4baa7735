#include "tokenizer/json_steps.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>

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
  const std::string& type = value.at("type").text();
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
  } else {
    refuse_type(value, "Sequence, NFC, NFD, NFKC, NFKD, Prepend, Replace");
  }
  return step;
}

PreTokenizerStep read_pre_tokenizer(const JsonValue& value) {
  using Kind = PreTokenizerStep::Kind;
  const std::string& type = value.at("type").text();
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
    step.add_prefix_space = value.at("add_prefix_space").boolean();
    step.trim_offsets = value.boolean_or("trim_offsets", true);
    step.use_regex = value.boolean_or("use_regex", true);
  } else {
    refuse_type(value, "Sequence, Split, Digits, ByteLevel");
  }
  return step;
}

PostProcessorStep read_post_processor(const JsonValue& value) {
  using Kind = PostProcessorStep::Kind;
  const std::string& type = value.at("type").text();
  PostProcessorStep step;
  if (type == "ByteLevel") {
    step.add_prefix_space = value.boolean_or("add_prefix_space", true);
    step.trim_offsets = value.boolean_or("trim_offsets", true);
    step.use_regex = value.boolean_or("use_regex", true);
  } else if (type == "TemplateProcessing") {
    step.kind = Kind::template_processing;
    step.single = read_template(value.at("single"));
    if (value.has("pair")) step.pair = read_template(value.at("pair"));
    const JsonValue tokens = value.at("special_tokens");
    for (const std::string& name : tokens.keys()) {
      const JsonValue token = tokens.at(name);
      TemplateToken read{name, {}, {}};
      for (const auto& id : token.at("ids").items()) {
        read.ids.push_back(static_cast<std::int32_t>(id.integer(0, PairMap::max_ids - 1)));
      }
      for (const auto& text : token.at("tokens").items()) read.tokens.push_back(text.text());
      step.special_tokens.push_back(std::move(read));
    }
  } else {
    refuse_type(value, "Sequence, ByteLevel, TemplateProcessing");
  }
  return step;
}

DecoderStep read_decoder(const JsonValue& value) {
  using Kind = DecoderStep::Kind;
  const std::string& type = value.at("type").text();
  DecoderStep step;
  if (type == "ByteLevel") {
    step.add_prefix_space = value.boolean_or("add_prefix_space", true);
    step.trim_offsets = value.boolean_or("trim_offsets", true);
    step.use_regex = value.boolean_or("use_regex", true);
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
    step.content = value.at("content").text();
    step.start = value.at("start").integer(0, 1000);
    step.stop = value.at("stop").integer(0, 1000);
  } else {
    refuse_type(value, "Sequence, ByteLevel, Replace, ByteFallback, Fuse, Strip");
  }
  return step;
}

}  // namespace fathom::tokenizer

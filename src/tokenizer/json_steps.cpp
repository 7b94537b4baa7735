#include "tokenizer/json_steps.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace fathom::tokenizer {
namespace {

PatternSpec read_pattern(const Value& value) {
  if (value.has("Regex")) return {PatternSpec::Kind::regex, value.at("Regex").string()};
  return {PatternSpec::Kind::string, value.at("String").string()};
}

SplitBehavior read_behavior(const Value& value) {
  constexpr std::array<std::string_view, 5> names = {"Removed", "Isolated", "MergedWithPrevious",
                                                     "MergedWithNext", "Contiguous"};
  const auto found = std::ranges::find(names, std::string_view(value.string()));
  if (found == names.end()) {
    value.refuse(fmt::format("'{}' is not one of {}", value.string(), fmt::join(names, ", ")));
  }
  return static_cast<SplitBehavior>(found - names.begin());
}

std::vector<TemplateItem> read_template(const Value& value) {
  std::vector<TemplateItem> items;
  for (const auto& item : value.items()) {
    TemplateItem read;
    const bool special = item.has("SpecialToken");
    const Value body = item.at(special ? "SpecialToken" : "Sequence");
    (special ? read.special_token : read.sequence) = body.at("id").string();
    if (!special && read.sequence != "A" && read.sequence != "B") {
      body.at("id").refuse("wants \"A\" or \"B\"");
    }
    if (special && read.special_token.empty()) body.at("id").refuse("is empty");
    read.type_id = body.has("type_id") ? body.at("type_id").integer(0, 1 << 30) : 0;
    items.push_back(std::move(read));
  }
  return items;
}

}  // namespace

NormalizerStep read_normalizer(const Value& value) {
  using Kind = NormalizerStep::Kind;
  const std::string& type = value.at("type").string();
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
    step.content = value.at("prepend").string();
  } else if (type == "Replace") {
    step.kind = Kind::replace;
    step.pattern = read_pattern(value.at("pattern"));
    step.content = value.at("content").string();
  } else {
    refuse_type(value, "Sequence, NFC, NFD, NFKC, NFKD, Prepend, Replace");
  }
  return step;
}

PreTokenizerStep read_pre_tokenizer(const Value& value) {
  using Kind = PreTokenizerStep::Kind;
  const std::string& type = value.at("type").string();
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

PostProcessorStep read_post_processor(const Value& value) {
  using Kind = PostProcessorStep::Kind;
  const std::string& type = value.at("type").string();
  PostProcessorStep step;
  if (type == "ByteLevel") {
    step.add_prefix_space = value.boolean_or("add_prefix_space", true);
    step.trim_offsets = value.boolean_or("trim_offsets", true);
    step.use_regex = value.boolean_or("use_regex", true);
  } else if (type == "TemplateProcessing") {
    step.kind = Kind::template_processing;
    step.single = read_template(value.at("single"));
    if (value.has("pair")) step.pair = read_template(value.at("pair"));
    const Value tokens = value.at("special_tokens");
    for (const auto& [name, body] : tokens.object().items()) {
      const Value token(body, tokens.path() + "." + name);
      TemplateToken read{name, {}, {}};
      for (const auto& id : token.at("ids").items()) read.ids.push_back(id.id());
      for (const auto& text : token.at("tokens").items()) read.tokens.push_back(text.string());
      step.special_tokens.push_back(std::move(read));
    }
  } else {
    refuse_type(value, "Sequence, ByteLevel, TemplateProcessing");
  }
  return step;
}

DecoderStep read_decoder(const Value& value) {
  using Kind = DecoderStep::Kind;
  const std::string& type = value.at("type").string();
  DecoderStep step;
  if (type == "ByteLevel") {
    step.add_prefix_space = value.boolean_or("add_prefix_space", true);
    step.trim_offsets = value.boolean_or("trim_offsets", true);
    step.use_regex = value.boolean_or("use_regex", true);
  } else if (type == "Replace") {
    step.kind = Kind::replace;
    step.pattern = read_pattern(value.at("pattern"));
    step.content = value.at("content").string();
  } else if (type == "ByteFallback") {
    step.kind = Kind::byte_fallback;
  } else if (type == "Fuse") {
    step.kind = Kind::fuse;
  } else if (type == "Strip") {
    step.kind = Kind::strip;
    step.content = value.at("content").string();
    step.start = value.at("start").integer(0, 1000);
    step.stop = value.at("stop").integer(0, 1000);
  } else {
    refuse_type(value, "Sequence, ByteLevel, Replace, ByteFallback, Fuse, Strip");
  }
  return step;
}

}  // namespace fathom::tokenizer

// tokenizer.json to TokenizerSpec. Every value is checked before it is used: a
// corrupt file ends in one input Error that names the key, whatever it holds.
#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <unordered_map>

#include "core/error.h"
#include "tokenizer/pair_map.h"
#include "tokenizer/spec.h"

namespace fathom::tokenizer {
namespace {

using nlohmann::json;

constexpr int max_depth = 16;  // of Sequences inside Sequences

// A value of the document and the path to it, for messages.
class Value {
 public:
  Value(const json& value, std::string path) : json_(value), path_(std::move(path)) {}

  [[noreturn]] void refuse(const std::string& what) const { fail_input("{}: {}", path_, what); }
  const json& get() const { return json_; }
  const std::string& path() const { return path_; }
  bool is_null() const { return json_.is_null(); }

  const json& object() const {
    if (!json_.is_object()) refuse("wants an object");
    return json_;
  }
  bool has(const char* key) const {
    const auto found = object().find(key);
    return found != json_.end() && !found->is_null();
  }
  Value at(const char* key) const {
    const auto found = object().find(key);
    if (found == json_.end()) refuse(fmt::format("the key '{}' is missing", key));
    return {*found, path_ + "." + key};
  }
  std::vector<Value> items() const {
    if (!json_.is_array()) refuse("wants an array");
    std::vector<Value> values;
    for (std::size_t i = 0; i < json_.size(); ++i) {
      values.emplace_back(json_[i], fmt::format("{}[{}]", path_, i));
    }
    return values;
  }
  const std::string& string() const {
    if (!json_.is_string()) refuse("wants a string");
    return json_.get_ref<const std::string&>();
  }
  bool boolean() const {
    if (!json_.is_boolean()) refuse("wants true or false");
    return json_.get<bool>();
  }
  std::int64_t integer(std::int64_t low, std::int64_t high) const {
    if (!json_.is_number_integer()) refuse("wants a whole number");
    const bool huge = json_.is_number_unsigned() &&
                      json_.get<std::uint64_t>() >
                          static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    const std::int64_t number = huge ? high : json_.get<std::int64_t>();
    if (huge || number < low || number > high) {
      refuse(fmt::format("{} is outside {} to {}", json_.dump(), low, high));
    }
    return number;
  }
  std::int32_t id() const { return static_cast<std::int32_t>(integer(0, PairMap::max_ids - 1)); }
  bool boolean_or(const char* key, bool fallback) const {
    return has(key) ? at(key).boolean() : fallback;
  }

 private:
  const json& json_;
  std::string path_;
};

// The steps of a part that is null, one step, or a Sequence of parts.
template <class Step>
void read_steps(const Value& value, const char* list_key, Step (*read_step)(const Value&),
                std::vector<Step>& steps, int depth = 0) {
  if (depth > max_depth) value.refuse("Sequences are nested too deeply");
  if (value.is_null()) return;
  if (value.at("type").string() != "Sequence") return steps.push_back(read_step(value));
  for (const auto& item : value.at(list_key).items()) {
    if (item.is_null()) item.refuse("wants an object");
    read_steps(item, list_key, read_step, steps, depth + 1);
  }
}

[[noreturn]] void refuse_type(const Value& value, const char* known) {
  value.at("type").refuse(fmt::format("'{}' is not supported (known are {})",
                                      value.at("type").string().substr(0, 60), known));
}

PatternSpec read_pattern(const Value& value) {
  if (value.has("Regex")) return {PatternSpec::Kind::regex, value.at("Regex").string()};
  return {PatternSpec::Kind::string, value.at("String").string()};
}

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

SplitBehavior read_behavior(const Value& value) {
  constexpr std::array<std::string_view, 5> names = {"Removed", "Isolated", "MergedWithPrevious",
                                                     "MergedWithNext", "Contiguous"};
  const auto found = std::ranges::find(names, std::string_view(value.string()));
  if (found == names.end()) {
    value.refuse(fmt::format("'{}' is not one of {}", value.string(), fmt::join(names, ", ")));
  }
  return static_cast<SplitBehavior>(found - names.begin());
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

void refuse_unsupported_model(const Value& model) {
  if (model.has("type") && model.at("type").string() != "BPE") refuse_type(model, "BPE");
  if (model.has("dropout")) {
    const json& dropout = model.at("dropout").get();
    if (!dropout.is_number() || dropout.get<double>() != 0) {
      model.at("dropout").refuse("is not supported; set it to null");
    }
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (model.has(key) && !model.at(key).string().empty()) {
      model.at(key).refuse("is not supported; only byte-level and byte-fallback BPE are");
    }
  }
}

// An id far beyond the number of tokens would make every table by id as large.
void check_largest_id(const Value& value, std::int32_t id, std::size_t tokens) {
  if (static_cast<std::size_t>(id) > 16 * tokens + 65536) {
    value.refuse(fmt::format("the id {} is far beyond the {} tokens there are", id, tokens));
  }
}

void read_vocab(const Value& vocab, BpeSpec& spec) {
  const json& object = vocab.object();
  for (const auto& [token, id] : object.items()) {
    const Value value(id, vocab.path() + "[" + token.substr(0, 60) + "]");
    if (token.empty()) value.refuse("a token cannot be empty");
    const std::int32_t number = value.id();
    check_largest_id(value, number, object.size());
    const auto index = static_cast<std::size_t>(number);
    if (index >= spec.vocab.size()) spec.vocab.resize(index + 1);
    if (!spec.vocab[index].empty()) {
      value.refuse(fmt::format("the id {} belongs to '{}' too", number, spec.vocab[index]));
    }
    spec.vocab[index] = token;
  }
}

using TokenIds = std::unordered_map<std::string_view, std::int32_t>;

TokenIds index_tokens(const std::vector<std::string>& vocab) {
  TokenIds ids;
  ids.reserve(vocab.size());
  for (std::size_t id = 0; id < vocab.size(); ++id) {
    if (!vocab[id].empty()) ids.emplace(vocab[id], static_cast<std::int32_t>(id));
  }
  return ids;
}

// One merge, "left right" or ["left", "right"].
std::pair<std::string, std::string> merge_parts(const json& merge, const Value& merges,
                                                std::size_t rank) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  }
  if (merge.is_string()) {
    const std::string& text = merge.get_ref<const std::string&>();
    const std::size_t space = text.find(' ');
    if (space != std::string::npos && text.find(' ', space + 1) == std::string::npos) {
      return {text.substr(0, space), text.substr(space + 1)};
    }
  }
  fail_input("{}[{}]: wants \"left right\" or [\"left\", \"right\"]", merges.path(), rank);
}

void read_merges(const Value& merges, BpeSpec& spec) {
  const json& list = merges.get();
  if (!list.is_array()) merges.refuse("wants an array");
  const TokenIds ids = index_tokens(spec.vocab);
  for (std::size_t rank = 0; rank < list.size(); ++rank) {
    if (list[rank].is_string() &&
        list[rank].get_ref<const std::string&>().starts_with("#version")) {
      continue;
    }
    const auto [left, right] = merge_parts(list[rank], merges, rank);
    const auto id = [&](const std::string& token) {
      const auto found = ids.find(token);
      if (found == ids.end()) {
        fail_input("{}[{}]: '{}' is not in the vocabulary", merges.path(), rank,
                   token.substr(0, 60));
      }
      return found->second;
    };
    spec.merges.push_back({id(left), id(right), id(left + right)});
  }
}

void read_added_tokens(const Value& list, TokenizerSpec& spec) {
  const TokenIds model_ids = index_tokens(spec.model.vocab);
  std::unordered_map<std::string, std::int32_t> by_content;
  const auto items = list.items();
  for (const auto& item : items) {
    AddedToken token;
    token.id = item.at("id").id();
    token.content = item.at("content").string();
    if (token.content.empty()) item.at("content").refuse("is empty");
    token.single_word = item.boolean_or("single_word", false);
    token.lstrip = item.boolean_or("lstrip", false);
    token.rstrip = item.boolean_or("rstrip", false);
    token.special = item.boolean_or("special", false);
    token.normalized = item.boolean_or("normalized", !token.special);
    check_largest_id(item.at("id"), token.id, items.size() + spec.model.vocab.size());
    const auto model_id = model_ids.find(token.content);
    const auto index = static_cast<std::size_t>(token.id);
    const bool taken = index < spec.model.vocab.size() && !spec.model.vocab[index].empty() &&
                       spec.model.vocab[index] != token.content;
    if (taken || (model_id != model_ids.end() && model_id->second != token.id)) {
      item.at("id").refuse(fmt::format("the vocabulary says otherwise of {} or of '{}'", token.id,
                                       token.content.substr(0, 60)));
    }
    if (!by_content.emplace(token.content, token.id).second) {
      item.at("content").refuse(fmt::format("'{}' is added twice", token.content.substr(0, 60)));
    }
    spec.added_tokens.push_back(std::move(token));
  }
  std::ranges::stable_sort(spec.added_tokens, {}, &AddedToken::id);
  const auto same = std::ranges::adjacent_find(spec.added_tokens, {}, &AddedToken::id);
  if (same != spec.added_tokens.end()) {
    list.refuse(fmt::format("the id {} is used twice", same->id));
  }
}

void read_model(const Value& model, BpeSpec& spec) {
  refuse_unsupported_model(model);
  if (model.has("unk_token")) spec.unk_token = model.at("unk_token").string();
  spec.fuse_unk = model.boolean_or("fuse_unk", false);
  spec.byte_fallback = model.boolean_or("byte_fallback", false);
  spec.ignore_merges = model.boolean_or("ignore_merges", false);
  read_vocab(model.at("vocab"), spec);
  read_merges(model.at("merges"), spec);
}

json parse(const std::string& text, const std::string& source_name) {
  try {
    return json::parse(text);
  } catch (const json::exception& error) {
    const std::string_view what = error.what();  // "[json.exception...] parse error at line ..."
    fail_input("{}: not valid JSON: {}", source_name, what.substr(what.find("] ") + 2, 200));
  }
}

}  // namespace

TokenizerSpec read_spec(const std::string& text, const std::string& source_name) {
  const json document = parse(text, source_name);
  const Value root(document, source_name);
  root.object();
  const auto part = [&](const char* key) {
    static const json null;
    const auto found = document.find(key);
    return Value(found == document.end() ? null : *found, source_name + ": " + key);
  };
  TokenizerSpec spec;
  read_model(part("model"), spec.model);
  if (!part("added_tokens").is_null()) read_added_tokens(part("added_tokens"), spec);
  read_steps(part("normalizer"), "normalizers", read_normalizer, spec.normalizers);
  read_steps(part("pre_tokenizer"), "pretokenizers", read_pre_tokenizer, spec.pre_tokenizers);
  read_steps(part("post_processor"), "processors", read_post_processor, spec.post_processors);
  read_steps(part("decoder"), "decoders", read_decoder, spec.decoders);
  return spec;
}

}  // namespace fathom::tokenizer

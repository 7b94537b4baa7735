// tokenizer.json to TokenizerSpec. Every value is checked before it is used: a
// corrupt file ends in one input Error that names the key, whatever it holds.
#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "core/error.h"
#include "tokenizer/json_steps.h"
#include "tokenizer/spec.h"

namespace fathom::tokenizer {
namespace {

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

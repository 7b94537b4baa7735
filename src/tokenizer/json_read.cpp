// Reads tokenizer.json into a TokenizerSpec. Every value is checked before it is used: any
// corrupt file results in one input Error that names the key.
#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "core/error.h"
#include "tokenizer/json_steps.h"
#include "tokenizer/json_tables.h"
#include "tokenizer/pair_map.h"
#include "tokenizer/spec.h"
#include "tokenizer/token_index.h"

namespace fathom::tokenizer {
namespace {

void refuse_unsupported_model(const JsonValue& model) {
  if (const auto type = model.find("type"); type && type->text() != "BPE") {
    type->refuse(fmt::format(
        "is '{}': only BPE is supported; use a model whose tokenizer is BPE, or train one with "
        "`fathom tokenizer train`",
        type->text().substr(0, 60)));
  }
  if (const auto dropout = model.find("dropout"); dropout && dropout->number() != 0) {
    dropout->refuse("is not supported; set it to null");
  }
}

std::int32_t read_id(const JsonValue& value) {
  return static_cast<std::int32_t>(value.integer(0, PairMap::max_ids - 1));
}

// An id far beyond the number of tokens would make every table that ids index as large.
bool is_far_beyond(std::int64_t id, std::size_t tokens) {
  return static_cast<std::size_t>(id) > 16 * tokens + 65536;
}

void check_largest_id(const JsonValue& value, std::int32_t id, std::size_t tokens) {
  if (is_far_beyond(id, tokens)) {
    value.refuse(fmt::format("is {}, far beyond the {} tokens there are", id, tokens));
  }
}

void read_vocab(const JsonValue& vocab, BpeSpec& spec) {
  const std::vector<std::string> tokens = vocab.keys();
  for (const std::string& token : tokens) {
    const JsonValue value = vocab.at(token);
    if (token.empty()) value.refuse("belongs to an empty token");
    const std::int32_t id = read_id(value);
    check_largest_id(value, id, tokens.size());
    const auto index = static_cast<std::size_t>(id);
    if (index >= spec.vocab.size()) spec.vocab.resize(index + 1);
    if (!spec.vocab[index].empty()) {
      value.refuse(fmt::format("is {}, the id of '{}' too", id, spec.vocab[index]));
    }
    spec.vocab[index] = token;
  }
}

// One merge, "left right" or ["left", "right"].
std::pair<std::string, std::string> merge_parts(const JsonValue& merge) {
  if (merge.is_array()) {
    const auto parts = merge.items();
    if (parts.size() == 2) return {parts[0].text(), parts[1].text()};
  } else if (merge.is_text()) {
    const std::string& text = merge.text();
    const std::size_t space = text.find(' ');
    if (space != std::string::npos && text.find(' ', space + 1) == std::string::npos) {
      return {text.substr(0, space), text.substr(space + 1)};
    }
  }
  merge.refuse(fmt::format("is {}, not \"left right\" or [\"left\", \"right\"]", merge.shown()));
}

void read_merges(const JsonValue& merges, BpeSpec& spec) {
  const TokenIndex ids(spec.vocab);
  const std::string& prefix = spec.continuing_subword_prefix;
  for (const JsonValue& merge : merges.items()) {
    if (merge.is_text() && merge.text().starts_with("#version")) continue;
    const auto [left, right] = merge_parts(merge);
    const auto id = [&](const std::string& token) {
      const auto found = ids.find(token);
      if (!found) {
        merge.refuse(fmt::format("makes or wants '{}', which is not in the vocabulary",
                                 token.substr(0, 60)));
      }
      return *found;
    };
    if (!right.starts_with(prefix)) {
      merge.refuse(fmt::format("joins '{}', which lacks the prefix '{}'", right.substr(0, 60),
                               prefix.substr(0, 60)));
    }
    spec.merges.push_back({id(left), id(right), id(left + right.substr(prefix.size()))});
  }
}

void read_added_tokens(const JsonValue& list, const TokenIndex& model_ids, TokenizerSpec& spec) {
  std::unordered_map<std::string, std::int32_t> by_content;
  const auto items = list.items();
  for (const auto& item : items) {
    AddedToken token;
    token.id = read_id(item.at("id"));
    token.content = item.at("content").text();
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
    if (taken || (model_id && *model_id != token.id)) {
      item.at("id").refuse(fmt::format("is {}, but the vocabulary says otherwise of {} or of '{}'",
                                       token.id, token.id, token.content.substr(0, 60)));
    }
    if (!by_content.emplace(token.content, token.id).second) {
      item.at("content").refuse(
          fmt::format("is '{}', which is added twice", token.content.substr(0, 60)));
    }
    spec.added_tokens.push_back(std::move(token));
  }
  std::ranges::stable_sort(spec.added_tokens, {}, &AddedToken::id);
  const auto same = std::ranges::adjacent_find(spec.added_tokens, {}, &AddedToken::id);
  if (same != spec.added_tokens.end()) {
    list.refuse(fmt::format("uses the id {} twice", same->id));
  }
}

void read_model(const JsonValue& model, BpeSpec& spec) {
  refuse_unsupported_model(model);
  if (model.has("unk_token")) spec.unk_token = model.at("unk_token").text();
  if (const auto prefix = model.find("continuing_subword_prefix")) {
    spec.continuing_subword_prefix = prefix->text();
  }
  if (const auto suffix = model.find("end_of_word_suffix")) {
    spec.end_of_word_suffix = suffix->text();
  }
  spec.fuse_unk = model.boolean_or("fuse_unk", false);
  spec.byte_fallback = model.boolean_or("byte_fallback", false);
  spec.ignore_merges = model.boolean_or("ignore_merges", false);
  read_vocab(model.at("vocab"), spec);
  read_merges(model.at("merges"), spec);
}

// The checks of read_vocab() and read_merges() without their messages: false where one fails.
bool fill_vocab(const JsonTables& tables, BpeSpec& spec) {
  for (const auto& [token, id] : tables.vocab) {
    const auto index = static_cast<std::size_t>(id);
    if (token.empty() || id >= PairMap::max_ids || is_far_beyond(id, tables.vocab.size())) {
      return false;
    }
    if (index >= spec.vocab.size()) spec.vocab.resize(std::max(index + 1, tables.vocab.size()));
    if (!spec.vocab[index].empty()) return false;
    spec.vocab[index] = token;
  }
  while (!spec.vocab.empty() && spec.vocab.back().empty()) spec.vocab.pop_back();
  return true;
}

bool fill_merges(const JsonTables& tables, const TokenIndex& ids, BpeSpec& spec) {
  const std::string& prefix = spec.continuing_subword_prefix;
  spec.merges.reserve(tables.merges.size());
  std::string joined;
  for (const auto& [left, right] : tables.merges) {
    if (!right.starts_with(prefix)) return false;
    joined.assign(left).append(right.substr(prefix.size()));
    const auto left_id = ids.find(left), right_id = ids.find(right), result = ids.find(joined);
    if (!left_id || !right_id || !result) return false;
    spec.merges.push_back({*left_id, *right_id, *result});
  }
  return true;
}

// Everything but the model, of whose vocabulary `ids` are.
void read_others(const JsonValue& root, const TokenIndex& ids, TokenizerSpec& spec) {
  if (const auto tokens = root.find("added_tokens")) read_added_tokens(*tokens, ids, spec);
  const auto steps = [&](const char* part, const char* list_key, auto* read_step, auto& into) {
    if (const auto value = root.find(part)) read_steps(*value, list_key, read_step, into);
  };
  // The defaults of transformers for cutting and padding batches. Fathom's callers do that.
  for (const char* part : {"truncation", "padding"}) {
    if (const auto settings = root.find(part)) settings->keys();
  }
  steps("normalizer", "normalizers", read_normalizer, spec.normalizers);
  steps("pre_tokenizer", "pretokenizers", read_pre_tokenizer, spec.pre_tokenizers);
  steps("post_processor", "processors", read_post_processor, spec.post_processors);
  steps("decoder", "decoders", read_decoder, spec.decoders);
}

// The quick way, which takes most files. nullopt for one with a mistake: where it is, the reader of
// the whole document says.
std::optional<TokenizerSpec> read_by_tables(std::string_view text, const std::string& source_name) {
  const auto tables = scan_json_tables(text);
  if (!tables) return std::nullopt;
  try {
    const JsonValue root = JsonValue::parse(tables->rest, source_name);
    TokenizerSpec spec;
    read_model(root.at("model"), spec.model);
    if (!fill_vocab(*tables, spec.model)) return std::nullopt;
    const TokenIndex ids(spec.model.vocab);
    if (ids.alike() || !fill_merges(*tables, ids, spec.model)) return std::nullopt;
    read_others(root, ids, spec);
    return spec;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

TokenizerSpec read_spec(std::string_view text, const std::string& source_name) {
  if (auto spec = read_by_tables(text, source_name)) return std::move(*spec);
  const JsonValue root = JsonValue::parse(text, source_name);
  TokenizerSpec spec;
  read_model(root.at("model"), spec.model);
  read_others(root, TokenIndex(spec.model.vocab), spec);
  return spec;
}

}  // namespace fathom::tokenizer

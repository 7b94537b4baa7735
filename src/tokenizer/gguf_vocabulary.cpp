// A GGUF file's tokenizer, in.
#include "tokenizer/gguf_vocabulary.h"

#include <algorithm>

#include "core/error.h"
#include "text/utf8.h"
#include "tokenizer/gguf_rules.h"
#include "tokenizer/gguf_token_types.h"
#include "tokenizer/impl.h"
#include "tokenizer/token_index.h"

namespace fathom {
namespace {

using namespace tokenizer;

constexpr std::int64_t most_tokens = 1 << 22;

const std::vector<std::string>& tokens_of(const GgufFile& file) {
  const auto& tokens = file.texts("tokenizer.ggml.tokens");
  if (tokens.empty() || std::ssize(tokens) > most_tokens) {
    fail_input("{}: 'tokenizer.ggml.tokens' lists {} tokens", file.path(), tokens.size());
  }
  return tokens;
}

std::vector<std::int64_t> types_of(const GgufFile& file, std::size_t tokens) {
  if (!file.has("tokenizer.ggml.token_type")) {
    return std::vector<std::int64_t>(tokens, gguf_token::normal);
  }
  const auto& types = file.integers("tokenizer.ggml.token_type");
  if (types.size() != tokens) {
    fail_input("{}: 'tokenizer.ggml.token_type' lists {} tokens, 'tokenizer.ggml.tokens' {}",
               file.path(), types.size(), tokens);
  }
  return types;
}

std::optional<std::int32_t> find_token(const GgufFile& file, const char* key, std::size_t tokens) {
  const auto id = file.find_integer(key);
  if (!id) return std::nullopt;
  if (*id < 0 || *id >= static_cast<std::int64_t>(tokens)) {
    fail_input("{}: '{}' is {}: the tokens are 0 to {}", file.path(), key, *id, tokens - 1);
  }
  return static_cast<std::int32_t>(*id);
}

// Fills the vocabulary with the tokens that text becomes, and the list of those that are added.
void read_tokens(const GgufFile& file, TokenizerSpec& spec) {
  const auto& tokens = tokens_of(file);
  const std::vector<std::int64_t> types = types_of(file, tokens.size());
  spec.model.vocab.resize(tokens.size());
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].empty() || types[id] == gguf_token::unused) continue;
    if (utf8::valid_prefix(tokens[id]) != tokens[id].size()) {
      fail_input("{}: 'tokenizer.ggml.tokens' spells {} by bytes that are not UTF-8", file.path(),
                 id);
    }
    spec.model.vocab[id] = tokens[id];
    if (types[id] != gguf_token::control && types[id] != gguf_token::user_defined &&
        types[id] != gguf_token::unknown) {
      continue;
    }
    AddedToken added;
    added.id = static_cast<std::int32_t>(id);
    added.content = tokens[id];
    added.special = types[id] != gguf_token::user_defined;
    spec.added_tokens.push_back(std::move(added));
  }
}

TokenIndex index_tokens(const GgufFile& file, const BpeSpec& model) {
  TokenIndex ids(model.vocab);
  if (const auto& alike = ids.alike()) {
    const std::string& token = model.vocab[static_cast<std::size_t>(alike->first)];
    fail_input("{}: 'tokenizer.ggml.tokens' spells {} and {} alike: '{}'", file.path(),
               alike->first, alike->second, token.substr(0, 60));
  }
  return ids;
}

void read_merges(const GgufFile& file, const TokenIndex& ids, BpeSpec& model) {
  const auto& merges = file.texts("tokenizer.ggml.merges");
  model.merges.reserve(merges.size());
  std::string joined;
  for (const std::string& merge : merges) {
    const std::size_t space = std::min(merge.find(' ', 1), merge.size());
    const std::string_view left = std::string_view(merge).substr(0, space);
    const std::string_view right =
        std::string_view(merge).substr(std::min(space + 1, merge.size()));
    joined.assign(left).append(right);
    const auto left_id = ids.find(left), right_id = ids.find(right), result = ids.find(joined);
    if (!left_id || !right_id || !result) {
      fail_input("{}: 'tokenizer.ggml.merges' has '{}', which is no two tokens that make a third",
                 file.path(), merge.substr(0, 60));
    }
    model.merges.push_back({*left_id, *right_id, *result});
  }
}

// SentencePiece joins the neighbours whose token has the highest score, which is what the merges
// of all ways to cut each token say, ranked by its score.
void merges_of_scores(const GgufFile& file, const TokenIndex& ids, BpeSpec& model) {
  const auto& scores = file.numbers("tokenizer.ggml.scores");
  if (scores.size() != model.vocab.size()) {
    fail_input("{}: 'tokenizer.ggml.scores' lists {} tokens, 'tokenizer.ggml.tokens' {}",
               file.path(), scores.size(), model.vocab.size());
  }
  for (std::size_t id = 0; id < model.vocab.size(); ++id) {
    const std::string_view token = model.vocab[id];
    constexpr std::size_t longest = 256;  // SentencePiece's default is 16 characters
    if (token.size() > longest) continue;
    for (std::size_t cut = 1; cut < token.size(); ++cut) {
      const auto left = ids.find(token.substr(0, cut)), right = ids.find(token.substr(cut));
      if (!left || !right) continue;
      model.merges.push_back({*left, *right, static_cast<std::int32_t>(id)});
    }
  }
  std::ranges::stable_sort(model.merges, std::ranges::greater(), [&](const BpeSpec::Merge& merge) {
    return scores[static_cast<std::size_t>(merge.result)];
  });
}

DecoderStep replaced_space() {
  DecoderStep step;
  step.kind = DecoderStep::Kind::replace;
  step.pattern = {PatternSpec::Kind::string, "▁"};
  step.content = " ";
  return step;
}

void read_sentence_piece(const GgufFile& file, const TokenIndex& ids, TokenizerSpec& spec) {
  spec.model.byte_fallback = true;
  spec.model.fuse_unk = true;
  const auto unknown =
      find_token(file, "tokenizer.ggml.unknown_token_id", spec.model.vocab.size()).value_or(0);
  spec.model.unk_token = spec.model.vocab[static_cast<std::size_t>(unknown)];
  merges_of_scores(file, ids, spec.model);
  const bool prefix = file.find_boolean("tokenizer.ggml.add_space_prefix").value_or(true);
  NormalizerStep space;
  space.kind = NormalizerStep::Kind::prepend;
  space.content = "▁";
  if (prefix) spec.normalizers.push_back(space);
  space.kind = NormalizerStep::Kind::replace;
  space.pattern = {PatternSpec::Kind::string, " "};
  spec.normalizers.push_back(space);
  DecoderStep bytes, fuse, strip;
  bytes.kind = DecoderStep::Kind::byte_fallback;
  fuse.kind = DecoderStep::Kind::fuse;
  strip.kind = DecoderStep::Kind::strip;
  strip.content = " ";
  strip.start = 1;
  spec.decoders = {replaced_space(), bytes, fuse};
  if (prefix) spec.decoders.push_back(strip);
}

void read_byte_level(const GgufFile& file, const TokenIndex& ids, TokenizerSpec& spec) {
  const std::string pre = file.find_text("tokenizer.ggml.pre").value_or("default");
  const auto rules = gguf_rules(pre);
  if (!rules) {
    fail_input(
        "{}: 'tokenizer.ggml.pre' is '{}': Fathom does not know how that cuts text; name the "
        "model's tokenizer.json with --tokenizer",
        file.path(), pre.substr(0, 60));
  }
  spec.pre_tokenizers = rules->steps;
  if (rules->nfc) spec.normalizers.emplace_back();
  spec.model.ignore_merges = rules->ignore_merges;
  spec.decoders.emplace_back();
  read_merges(file, ids, spec.model);
}

// The token that llama.cpp puts before each text.
void read_template(const GgufFile& file, bool by_default, TokenizerSpec& spec) {
  const std::size_t tokens = spec.model.vocab.size();
  const auto bos = find_token(file, "tokenizer.ggml.bos_token_id", tokens);
  const auto eos = find_token(file, "tokenizer.ggml.eos_token_id", tokens);
  const bool add_bos = file.find_boolean("tokenizer.ggml.add_bos_token").value_or(by_default);
  const bool add_eos = file.find_boolean("tokenizer.ggml.add_eos_token").value_or(false);
  if (!(add_bos && bos) && !(add_eos && eos)) return;
  PostProcessorStep step;
  step.kind = PostProcessorStep::Kind::template_processing;
  const auto add_token = [&](std::int32_t id) {
    const std::string& name = spec.model.vocab[static_cast<std::size_t>(id)];
    for (auto* items : {&step.single, &step.pair}) items->push_back({name, "", 0});
    const bool known = std::ranges::any_of(step.special_tokens,
                                           [&](const auto& token) { return token.name == name; });
    if (!known) step.special_tokens.push_back({name, {id}, {name}});
  };
  if (add_bos && bos) add_token(*bos);
  step.single.push_back({"", "A", 0});
  step.pair.push_back({"", "A", 0});
  step.pair.push_back({"", "B", 0});
  if (add_eos && eos) add_token(*eos);
  spec.post_processors.push_back(std::move(step));
}

}  // namespace

Tokenizer read_gguf_tokenizer(const GgufFile& file) {
  constexpr const char* json_key = "tokenizer.huggingface.json";
  if (const GgufValue* const json = file.find_value(json_key)) {
    const std::string where = fmt::format("{}: '{}'", file.path(), json_key);
    if (const auto* const text = std::get_if<std::string>(json)) {
      return Tokenizer::from_json(*text, where);
    }
    file.text(json_key);  // says what it is
  }
  const std::string model = file.text("tokenizer.ggml.model");
  if (model != "gpt2" && model != "llama") {
    fail_input("{}: 'tokenizer.ggml.model' is '{}': only gpt2 and llama open", file.path(),
               model.substr(0, 60));
  }
  TokenizerSpec spec;
  read_tokens(file, spec);
  const TokenIndex ids = index_tokens(file, spec.model);
  if (model == "llama") {
    read_sentence_piece(file, ids, spec);
  } else {
    read_byte_level(file, ids, spec);
  }
  read_template(file, model == "llama", spec);
  while (!spec.model.vocab.empty() && spec.model.vocab.back().empty()) spec.model.vocab.pop_back();
  return Tokenizer(std::make_shared<const Tokenizer::Impl>(std::move(spec), file.path()));
}

}  // namespace fathom

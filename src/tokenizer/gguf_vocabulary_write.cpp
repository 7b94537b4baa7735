// A tokenizer as keys of a GGUF file, out.
#include <algorithm>

#include "core/error.h"
#include "tokenizer/gguf_rules.h"
#include "tokenizer/gguf_token_types.h"
#include "tokenizer/gguf_vocabulary.h"
#include "tokenizer/spec.h"

namespace fathom {
namespace {

using namespace tokenizer;

bool is_sentence_piece(const TokenizerSpec& spec) {
  const auto spells_spaces = [](const NormalizerStep& step) {
    return step.kind == NormalizerStep::Kind::replace && step.content == "▁";
  };
  const auto is_metaspace = [](const PreTokenizerStep& step) {
    return step.kind == PreTokenizerStep::Kind::metaspace;
  };
  return spec.model.byte_fallback && (std::ranges::any_of(spec.normalizers, spells_spaces) ||
                                      std::ranges::any_of(spec.pre_tokenizers, is_metaspace));
}

bool adds_space(const TokenizerSpec& spec) {
  return std::ranges::any_of(spec.normalizers,
                             [](const NormalizerStep& step) {
                               return step.kind == NormalizerStep::Kind::prepend;
                             }) ||
         std::ranges::any_of(spec.pre_tokenizers, [](const PreTokenizerStep& step) {
           return step.kind == PreTokenizerStep::Kind::metaspace &&
                  step.prepend != PrependScheme::never;
         });
}

bool is_byte_token(std::string_view token) {
  return token.size() == 6 && token.starts_with("<0x") && token.ends_with('>');
}

struct TokenList {
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;
};

TokenList list_tokens(const TokenizerSpec& spec, std::int64_t vocab_size, bool sentence_piece) {
  TokenList list;
  const auto size = static_cast<std::size_t>(vocab_size);
  for (std::size_t id = 0; id < size; ++id) {
    const bool named = id < spec.model.vocab.size() && !spec.model.vocab[id].empty();
    list.tokens.push_back(named ? spec.model.vocab[id] : fmt::format("[PAD{}]", id));
    list.types.push_back(!named ? gguf_token::unused
                         : sentence_piece && is_byte_token(spec.model.vocab[id])
                             ? gguf_token::byte
                             : gguf_token::normal);
  }
  for (const AddedToken& token : spec.added_tokens) {
    const auto id = static_cast<std::size_t>(token.id);
    list.tokens[id] = token.content;
    list.types[id] = token.content == spec.model.unk_token ? gguf_token::unknown
                     : token.special                       ? gguf_token::control
                                                           : gguf_token::user_defined;
  }
  return list;
}

// A token's score is minus the rank of its first merge: the higher is joined first.
std::vector<float> scores_of(const TokenizerSpec& spec, std::size_t tokens) {
  std::vector<float> scores(tokens, 0);
  for (std::size_t rank = spec.model.merges.size(); rank-- > 0;) {
    const auto id = static_cast<std::size_t>(spec.model.merges[rank].result);
    scores[id] = -static_cast<float>(rank) - 1;
  }
  return scores;
}

std::vector<std::string> merges_of(const BpeSpec& model) {
  std::vector<std::string> merges;
  for (const auto& merge : model.merges) {
    merges.push_back(model.vocab[static_cast<std::size_t>(merge.left)] + " " +
                     model.vocab[static_cast<std::size_t>(merge.right)]);
  }
  return merges;
}

// The kind, its rules, and how llama.cpp's differ.
std::string add_model(const TokenizerSpec& spec, const TokenList& list, GgufMetadata& keys) {
  if (is_sentence_piece(spec)) {
    keys.add_text("tokenizer.ggml.model", "llama");
    keys.add_text("tokenizer.ggml.pre", "default");
    keys.add_f32s("tokenizer.ggml.scores", scores_of(spec, list.tokens.size()));
    keys.add_boolean("tokenizer.ggml.add_space_prefix", adds_space(spec));
    return "";
  }
  const auto rules = gguf_rules_name(spec);
  if (!rules) {
    fail_input(
        "llama.cpp has no rules that cut text as this tokenizer's pre_tokenizer does, so a GGUF "
        "file can't hold it: it knows those of GPT-2, SmolLM, Llama 3, Qwen 2 and DeepSeek LLM");
  }
  keys.add_text("tokenizer.ggml.model", "gpt2");
  keys.add_text("tokenizer.ggml.pre", rules->name);
  keys.add_texts("tokenizer.ggml.merges", merges_of(spec.model));
  keys.add_boolean("tokenizer.ggml.add_space_prefix", false);
  if (rules->exact) return "";
  return fmt::format(
      "llama.cpp has no rules of Fathom's tokenizers: the file names '{}', the nearest that it has; "
      "compare its tokens with those of `fathom tokenizer encode` before you rely on them",
      rules->name);
}

}  // namespace

GgufVocabulary write_gguf_tokenizer(const Tokenizer& tokenizer, const GgufTokens& tokens) {
  if (tokenizer.vocab_size() > tokens.vocab_size) {
    fail_input("the tokenizer has {} tokens and the model {}: it is not this model's tokenizer",
               tokenizer.vocab_size(), tokens.vocab_size);
  }
  const std::string json = tokenizer.to_json();
  const TokenizerSpec spec = read_spec(json, "the tokenizer");
  const TokenList list = list_tokens(spec, tokens.vocab_size, is_sentence_piece(spec));
  GgufVocabulary out;
  out.note = add_model(spec, list, out.keys);
  out.keys.add_texts("tokenizer.ggml.tokens", list.tokens);
  out.keys.add_i32s("tokenizer.ggml.token_type", list.types);
  const auto id = [&](const char* key, std::optional<std::int64_t> token) {
    if (token) out.keys.add_u32(key, static_cast<std::uint32_t>(*token));
  };
  id("tokenizer.ggml.bos_token_id", tokens.bos);
  id("tokenizer.ggml.eos_token_id", tokens.eos);
  if (spec.model.unk_token) {
    id("tokenizer.ggml.unknown_token_id", tokenizer.token_to_id(*spec.model.unk_token));
  }
  id("tokenizer.ggml.padding_token_id", tokenizer.pad_id());
  // The ids of an empty text are those that the template adds to any.
  const std::vector<std::int32_t> added = tokenizer.encode("");
  const auto adds = [&](std::optional<std::int64_t> token) {
    return token && std::ranges::find(added, *token) != added.end();
  };
  out.keys.add_boolean("tokenizer.ggml.add_bos_token", adds(tokens.bos));
  out.keys.add_boolean("tokenizer.ggml.add_eos_token", adds(tokens.eos));
  out.keys.add_text("tokenizer.huggingface.json", json);
  return out;
}

}  // namespace fathom

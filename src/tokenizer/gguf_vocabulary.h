// A tokenizer as keys of a GGUF file ("tokenizer.ggml..."), in and out. llama.cpp knows two kinds
// that are ours: "gpt2", byte-level BPE by merges, whose text is cut by rules that llama.cpp has
// compiled in under a name ("tokenizer.ggml.pre"), and "llama", BPE of whole characters with
// fallback to bytes, by scores of tokens (SentencePiece's).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "io/gguf.h"
#include "tokenizer/tokenizer.h"

namespace fathom {

// The tokenizer of the file: its tokenizer.json ("tokenizer.huggingface.json") when it has one, as
// our files do, else what the keys for llama.cpp say. Throws an input Error that names the file and
// the key when one is missing, contradicts another, or names rules that we do not have.
Tokenizer read_gguf_tokenizer(const GgufFile& file);

struct GgufTokens {
  std::int64_t vocab_size = 0;  // rows of the embedding; ids without a token become unused ones
  std::optional<std::int64_t> bos, eos;
};

struct GgufVocabulary {
  GgufMetadata keys;
  std::string note;  // how llama.cpp may cut text differently; empty: it does not
};

// Throws an input Error when llama.cpp has no rules for the tokenizer, or it has more tokens than
// vocab_size.
GgufVocabulary write_gguf_tokenizer(const Tokenizer& tokenizer, const GgufTokens& tokens);

}  // namespace fathom

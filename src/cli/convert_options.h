// What `fathom convert` was asked for, and its conversions from and to GGUF files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/config.h"

namespace fathom::cli {

struct ConvertOptions {
  std::string from, to, dtype = "bf16", tokenizer;
  std::uint64_t max_shard_bytes = 5'000'000'000;
  std::optional<std::int64_t> bos, eos;
};

// Throws an input Error when the id that `option` gives is no token of the model.
void check_token(const char* option, std::optional<std::int64_t> id, const ModelConfig& config);
// Where the chat template and the like of a tokenizer.json are: beside it.
std::string directory_of(const std::string& tokenizer);

// Writes the GGUF file `to` from a Hugging Face directory, a run, a checkpoint or a GGUF file.
void convert_to_gguf(const ConvertOptions& options);
// Writes the Hugging Face directory `to` from a GGUF file.
void convert_from_gguf(const ConvertOptions& options);

}  // namespace fathom::cli

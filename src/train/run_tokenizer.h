// The tokenizer of a run's data, which the run keeps beside its model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/prepared.h"

namespace fathom {

struct RunTokenizer {
  std::string path;  // of tokenizer.json; without such a file the run writes no samples
  std::string hash;  // as checkpoints keep it (checksum_text)
  std::vector<std::int32_t> end_tokens;   // each ends a text that the model writes
  std::optional<std::int64_t> bos_token;  // that begins a text, if the model says so
};
RunTokenizer run_tokenizer(const PreparedData& data);

}  // namespace fathom

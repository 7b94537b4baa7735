// Values of "tokenizer.ggml.token_type". Internal to src/tokenizer.
#pragma once

#include <cstdint>

namespace fathom::gguf_token {

enum Type : std::int32_t {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6,
};

}  // namespace fathom::gguf_token

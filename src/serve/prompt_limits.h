// How long a prompt may be: checked before the work of reading it is done.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

#include "tokenizer/tokenizer.h"

namespace fathom::serve {

class PromptLimits {
 public:
  // No limits.
  PromptLimits() = default;
  // For sequences of `max_length` tokens, the answer's included.
  PromptLimits(const Tokenizer& tokenizer, std::int64_t max_length);

  // Both throw an ApiError 400 about this field. A text is refused when it is too long even if all
  // its tokens are as long as the longest one.
  void check_tokens(std::string_view param, std::int64_t tokens) const;
  void check_bytes(std::string_view param, std::int64_t bytes) const;

 private:
  std::int64_t max_length_ = std::numeric_limits<std::int64_t>::max();
  std::int64_t max_bytes_ = std::numeric_limits<std::int64_t>::max();
};

}  // namespace fathom::serve

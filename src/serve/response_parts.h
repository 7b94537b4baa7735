// Parts that completions' and chats' answers share. Internal to src/serve.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>

#include "serve/json_text.h"
#include "serve/response.h"

namespace fathom::serve {

// The JSON of `usage`.
inline std::string usage_text(const Usage& usage) {
  return fmt::format(R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{}}})",
                     usage.prompt_tokens, usage.completion_tokens,
                     usage.prompt_tokens + usage.completion_tokens);
}

// null while the sequence goes on.
inline std::string_view finish_text(infer::FinishReason finish) {
  switch (finish) {
    case infer::FinishReason::none:
      return "null";
    case infer::FinishReason::length:
      return R"("length")";
    case infer::FinishReason::end_of_text:
    case infer::FinishReason::stop:
      return R"("stop")";
  }
  return "null";
}

// What each object of an answer begins with, up to its choices' array.
inline std::string begin_text(const ResponseHead& head, std::string_view object) {
  std::string text = R"({"id":)";
  append_json_string(text, head.id);
  text += fmt::format(R"(,"object":"{}","created":{},"model":)", object, head.created);
  append_json_string(text, head.model);
  return text + R"(,"choices":[)";
}

}  // namespace fathom::serve

// Parts that completions' and chats' answers share. Internal to src/serve.
#pragma once

#include <string>

#include "serve/json_text.h"
#include "serve/response.h"

namespace fathom::serve {

inline Json usage_json(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens}};
}

// null while the sequence goes on.
inline Json finish_json(infer::FinishReason finish) {
  switch (finish) {
    case infer::FinishReason::none:
      return nullptr;
    case infer::FinishReason::length:
      return "length";
    case infer::FinishReason::end_of_text:
    case infer::FinishReason::stop:
      return "stop";
  }
  return nullptr;
}

inline Json head_json(const ResponseHead& head, const char* object) {
  return {{"id", head.id}, {"object", object}, {"created", head.created}, {"model", head.model}};
}

}  // namespace fathom::serve

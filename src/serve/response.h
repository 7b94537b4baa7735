// A generation's answer, made of the engine's events: one JSON body, or a stream of them. No I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "infer/text_engine.h"
#include "serve/chat_request.h"
#include "serve/completion_request.h"

namespace fathom::serve {

// What all answers of a server begin with.
struct ResponseHead {
  std::string id;            // "cmpl-..." or "chatcmpl-..."
  std::int64_t created = 0;  // Unix time
  std::string model;
};

class Response {
 public:
  virtual ~Response() = default;
  // What a stream sends before the first event; "" when the answer is no stream.
  virtual std::string begin() { return ""; }
  // An event of the engine's request number `sequence`; returns what a stream sends for it, which
  // is often nothing.
  virtual std::string take(std::size_t sequence, const infer::TextEvent& event) = 0;
  // After all sequences' last events: the whole body, or the stream's end.
  virtual std::string finish() = 0;
  // Memory of what it keeps for finish().
  virtual std::size_t bytes() const = 0;
};

std::unique_ptr<Response> completion_response(const CompletionRequest& request,
                                              std::vector<EncodedPrompt> prompts,
                                              const Tokenizer& tokenizer, const ResponseHead& head);
std::unique_ptr<Response> chat_response(const ChatRequest& request, std::int64_t prompt_tokens,
                                        const Tokenizer& tokenizer, const ResponseHead& head);

// A server-sent event with this data, which has no line breaks.
std::string stream_event(const std::string& data);

// Tokens of an answer: of all its prompts, and of all its texts.
struct Usage {
  std::int64_t prompt_tokens = 0, completion_tokens = 0;
};

}  // namespace fathom::serve

// Prompts in, streamed text out, many requests at once: what `generate`, evaluation
// and the server run on.
//
//   const RequestId id = engine.submit(request);      // any time, also between steps
//   while (!engine.idle()) {
//     for (const TextEvent& event : engine.step()) ...  // events of all requests
//   }
//
// A request gives the same text alone or in any company: its random numbers are
// indexed by its seed, its stream and the place of the token. One thread at a time may
// call an engine.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "infer/engine.h"
#include "infer/model_loader.h"
#include "infer/text_stream.h"
#include "tokenizer/tokenizer.h"

namespace fathom::infer {

using RequestId = SequenceId;

struct TextRequest {
  // Text, or the ids of its tokens, which are taken as they are.
  std::variant<std::string, std::vector<std::int32_t>> prompt;
  // Whether a prompt that is text may spell special tokens. Text of a user may not.
  SpecialText special_text = SpecialText::as_text;
  std::int64_t max_tokens = 128;
  std::vector<std::string> stop;  // the text ends before the earliest of these in it
  SamplingOptions sampling;
  std::optional<std::int64_t> log_probabilities;  // as SamplingRow's
};

// What a step added to one request. After an event with a finish reason no other
// follows.
struct TextEvent {
  RequestId request = 0;
  std::string text;                // whole characters, known to come before any stop string
  std::vector<DrawnToken> tokens;  // drawn in this step; one that ends the text included
  FinishReason finish = FinishReason::none;
};

// The ids that encode() gives for a prompt of this kind, the tokenizer's template
// included.
std::vector<std::int32_t> prompt_tokens(const Tokenizer& tokenizer, const TextRequest& request);

class TextEngine {
 public:
  // `model` and `context` outlive the engine. Rows of the model that its tokenizer has
  // no token for are never drawn. Errors as Engine's.
  TextEngine(const LoadedModel& model, Context& context, EngineOptions options);

  // Queues a request; nothing is queued when it throws. Errors as Engine::submit's.
  RequestId submit(const TextRequest& request);
  // Runs the model once. The events are valid until the next call; requests that drew
  // no token have none.
  std::span<const TextEvent> step();
  // Forgets a request, which gets no further event; what step() returned last stays
  // valid. False when it has ended already.
  bool cancel(RequestId id);
  bool idle() const { return requests_.empty(); }

  const Engine& engine() const { return engine_; }

 private:
  TextEvent take(const GeneratedToken& token);

  const LoadedModel& model_;
  Engine engine_;
  std::map<RequestId, TextStream> requests_;
  std::vector<TextEvent> events_;
};

}  // namespace fathom::infer

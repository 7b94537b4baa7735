// Streams the continuations of many prompts at once as text. `generate`, evaluation and
// the server use it.
//
//   const RequestId id = engine.submit(request);      // any time, also between steps
//   while (!engine.idle()) {
//     for (const TextEvent& event : engine.step()) ...  // events of all requests
//   }
//
// A request's text does not depend on the requests beside it: its random numbers are
// indexed by its seed, its stream and the position of the token. One thread at a time may
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
  // Text, or token ids, which are used unchanged.
  std::variant<std::string, std::vector<std::int32_t>> prompt;
  // Whether a text prompt may spell special tokens. A user's text may not.
  SpecialText special_text = SpecialText::as_text;
  std::int64_t max_tokens = 128;
  std::vector<std::string> stop;  // the text ends before the first of these that appears
  SamplingOptions sampling;
  std::optional<std::int64_t> log_probabilities;         // as SamplingRow's
  std::optional<std::int64_t> prompt_log_probabilities;  // as Request's
  std::int64_t min_tokens = 0;                           // as Request's
  bool ignore_end = false;  // go on after the model's end tokens, which may be drawn
  std::vector<std::int32_t> more_end_tokens;           // ids that end the text beside the model's
  SpecialTokens special_tokens = SpecialTokens::skip;  // whether the text shows those generated
  // Whether the text goes on from the prompt's (TextStream::follow()), and is no answer to it.
  bool continues_prompt = false;
};

// The text and tokens that a step added to one request. An event with a finish reason is
// the request's last.
struct TextEvent {
  RequestId request = 0;
  std::string text;                // whole characters that no stop string can include any more
  std::vector<DrawnToken> tokens;  // drawn in this step, the end token included
  FinishReason finish = FinishReason::none;
  std::vector<DrawnToken> prompt_scores = {};  // as GeneratedToken's
};

// The ids among the first `rows` that stand for no token: a vocabulary's padding, and ids that the
// tokenizer leaves out. A model has rows for them, which are never drawn.
std::vector<std::int32_t> rows_without_token(const Tokenizer& tokenizer, std::int64_t rows);

// The ids that encode() gives for a prompt of this kind, the tokenizer's template
// included.
std::vector<std::int32_t> prompt_tokens(const Tokenizer& tokenizer, const TextRequest& request);

class TextEngine {
 public:
  // `model` and `context` must outlive the engine. Rows of the model without a token in
  // the tokenizer are never drawn. Errors as Engine's.
  TextEngine(const LoadedModel& model, Context& context, EngineOptions options);

  // Queues a request. Throws the errors of Engine::submit(); nothing is queued then.
  RequestId submit(const TextRequest& request);
  // Throws what submit() would for this request. Any thread may call it.
  void check(const TextRequest& request) const;
  // Runs the model once. Returns one event for each request that drew a token, valid until
  // the next call.
  std::span<const TextEvent> step();
  // Removes a request, which gets no further event; events already returned stay valid.
  // False when it has ended already.
  bool cancel(RequestId id);
  bool idle() const { return requests_.empty(); }
  // As Engine's.
  void restart_sequences() { engine_.restart_sequences(); }
  void hold_admission(bool held) { engine_.hold_admission(held); }

  const Engine& engine() const { return engine_; }
  // For requests of tokens, from submit() to the last step, while this has none of its own.
  Engine& engine() { return engine_; }

 private:
  Request tokens_of(const TextRequest& request) const;
  TextEvent take(const GeneratedToken& token);

  const LoadedModel& model_;
  Engine engine_;
  std::map<RequestId, TextStream> requests_;
  std::vector<TextEvent> events_;
};

}  // namespace fathom::infer

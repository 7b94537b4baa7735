#include "infer/text_engine.h"

#include <utility>

#include "core/error.h"

namespace fathom::infer {
namespace {

EngineOptions with_masked_rows(EngineOptions options, const LoadedModel& model) {
  const std::vector<std::int32_t> rows =
      rows_without_token(model.tokenizer, model.stage->config().vocab_size);
  options.masked_tokens.insert(options.masked_tokens.end(), rows.begin(), rows.end());
  return options;
}

}  // namespace

std::vector<std::int32_t> rows_without_token(const Tokenizer& tokenizer, std::int64_t rows) {
  std::vector<std::int32_t> empty;
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto id = static_cast<std::int32_t>(row);
    const bool has_token = row < tokenizer.vocab_size() && !tokenizer.id_to_token(id).empty();
    if (!has_token) empty.push_back(id);
  }
  return empty;
}

std::vector<std::int32_t> prompt_tokens(const Tokenizer& tokenizer, const TextRequest& request) {
  if (const auto* ids = std::get_if<std::vector<std::int32_t>>(&request.prompt)) return *ids;
  return tokenizer.encode(std::get<std::string>(request.prompt),
                          {Template::apply, request.special_text});
}

TextEngine::TextEngine(const LoadedModel& model, Context& context, EngineOptions options)
    : model_(model), engine_(*model.stage, context, with_masked_rows(std::move(options), model)) {}

Request TextEngine::tokens_of(const TextRequest& request) const {
  for (const std::string& stop : request.stop) {
    if (stop.empty()) fail_input("a stop string is empty: give the text to end before");
  }
  Request tokens;
  tokens.prompt = prompt_tokens(model_.tokenizer, request);
  tokens.max_tokens = request.max_tokens;
  tokens.min_tokens = request.min_tokens;
  tokens.end_tokens = request.more_end_tokens;
  if (!request.ignore_end) {
    tokens.end_tokens.insert(tokens.end_tokens.end(), model_.end_tokens.begin(),
                             model_.end_tokens.end());
  }
  tokens.sampling = request.sampling;
  tokens.log_probabilities = request.log_probabilities;
  tokens.prompt_log_probabilities = request.prompt_log_probabilities;
  return tokens;
}

RequestId TextEngine::submit(const TextRequest& request) {
  Request tokens = tokens_of(request);
  TextStream stream(model_.tokenizer, request.stop, request.special_tokens);
  if (request.continues_prompt) stream.follow(tokens.prompt);
  const RequestId id = engine_.submit(std::move(tokens));
  requests_.emplace(id, std::move(stream));
  return id;
}

void TextEngine::check(const TextRequest& request) const {
  engine_.check(tokens_of(request));
}

std::span<const TextEvent> TextEngine::step() {
  events_.clear();
  for (const GeneratedToken& token : engine_.step()) {
    events_.push_back(take(token));
    if (events_.back().finish != FinishReason::none) requests_.erase(token.sequence);
  }
  return events_;
}

TextEvent TextEngine::take(const GeneratedToken& token) {
  TextStream& stream = requests_.at(token.sequence);
  TextEvent event{token.sequence, {}, {token.drawn}, token.finish, token.prompt_scores};
  if (token.finish != FinishReason::end_of_text) event.text = stream.push(token.drawn.token);
  if (token.finish != FinishReason::none) event.text += stream.finish();
  if (stream.stopped()) {
    if (token.finish == FinishReason::none) engine_.cancel(token.sequence);
    event.finish = FinishReason::stop;
  }
  return event;
}

bool TextEngine::cancel(RequestId id) {
  return requests_.erase(id) > 0 && engine_.cancel(id);
}

}  // namespace fathom::infer

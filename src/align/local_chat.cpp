#include "align/local_chat.h"

#include <algorithm>
#include <ctime>

#include "core/error.h"

namespace fathom {
namespace {

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  return local;
}

}  // namespace

std::optional<std::int32_t> end_of_turn(const ChatTemplate& chat, const Tokenizer& tokenizer) {
  Conversation example;
  example.messages = {make_message("user", "a"), make_message("assistant", "b")};
  EncodedChat encoded;
  try {
    encoded = chat.encode(example, tokenizer);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
    return std::nullopt;
  }
  for (std::size_t i = encoded.tokens.size(); i-- > 0;) {
    if (encoded.learned[i] && tokenizer.is_special(encoded.tokens[i])) return encoded.tokens[i];
  }
  return std::nullopt;
}

void stop_at_end_of_turn(infer::LoadedModel& model, const ChatTemplate& chat) {
  const std::optional<std::int32_t> end = end_of_turn(chat, model.tokenizer);
  if (end && std::ranges::find(model.end_tokens, *end) == model.end_tokens.end()) {
    model.end_tokens.push_back(*end);
  }
}

std::int64_t LocalChat::context() const {
  const infer::BlockManager& blocks = engine_.engine().scheduler().blocks();
  return std::min(engine_.engine().max_length(), blocks.total_pages() * blocks.page_size());
}

std::vector<std::int32_t> LocalChat::prompt(const Conversation& shown,
                                            const ChatSettings& settings) const {
  ChatOptions options;
  options.now = local_time();
  if (settings.system) {
    options.system = SystemPrompt::replace;
    options.system_text = *settings.system;
  }
  return chat_.encode_prompt(shown, model_.tokenizer, options);
}

std::int64_t LocalChat::prompt_tokens(const Conversation& shown, const ChatSettings& settings) {
  return std::ssize(prompt(shown, settings));
}

ChatAnswer LocalChat::answer(const Conversation& shown, const ChatSettings& settings,
                             const TakePiece& take) {
  infer::TextRequest request;
  request.prompt = prompt(shown, settings);
  request.max_tokens = settings.max_tokens;
  request.sampling = settings.sampling;
  const infer::RequestId id = engine_.submit(request);
  ChatAnswer answer;
  while (!engine_.idle() && !answer.stopped) {
    std::string piece;
    for (const infer::TextEvent& event : engine_.step()) {
      piece += event.text;
      answer.finish = event.finish;
    }
    answer.stopped = !take(piece) && answer.finish == infer::FinishReason::none;
  }
  if (answer.stopped) engine_.cancel(id);
  return answer;
}

}  // namespace fathom

// A conversation between a person and a model, turn by turn: `fathom chat` without its terminal.
#pragma once

#include <cstdint>
#include <ctime>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "align/chat_template.h"
#include "infer/model_loader.h"
#include "infer/text_engine.h"

namespace fathom {

struct ChatSettings {
  // Replaces the system prompt; none: it is left out, and the template may put its own.
  std::optional<std::string> system;
  std::int64_t max_tokens = 1024;
  infer::SamplingOptions sampling;  // each answer has a stream of its own
};

struct ChatAnswer {
  // As the history keeps it, bytes that are no UTF-8 replaced; empty: the turn was given up.
  std::string text;
  bool stopped = false;
  infer::FinishReason finish = infer::FinishReason::none;
  std::int64_t dropped_turns = 0;  // older ones that left the context for this one
};

// The token that ends an answer in the template, which may be another than the model's files name;
// none when the template does not end answers by a special token, or does not say where one ends.
std::optional<std::int32_t> end_of_turn(const ChatTemplate& chat, const Tokenizer& tokenizer);
// Lets it end the model's texts; before an engine is made.
void stop_at_end_of_turn(infer::LoadedModel& model, const ChatTemplate& chat);

class ChatSession {
 public:
  // Called with each piece of an answer, which may be empty; false stops the answer.
  using Take = std::function<bool(std::string_view piece)>;

  // All outlive the session. `engine` is idle, and of `model`, which should stop_at_end_of_turn().
  // Throws an input Error for settings that cannot be used.
  ChatSession(const infer::LoadedModel& model, infer::TextEngine& engine, const ChatTemplate& chat,
              ChatSettings settings);

  // Says `text` to the model and passes on its answer, without the blanks at its beginning. When
  // the context is full, the oldest turns are no longer shown to the model. Throws an input Error
  // for a text that is blank or does not fit; the conversation is then as before, and so it is
  // after an answer of nothing.
  ChatAnswer ask(const std::string& text, const Take& take);

  // Forgets the turns; the settings stay.
  void reset();
  // Writes the whole conversation, its system prompt first, as a row of JSON that SFT reads.
  void save(const std::string& path) const;
  // Replaces the conversation, and the system prompt when the file has one. Throws an input Error
  // for a file that does not hold one conversation which ends with an answer.
  void load(const std::string& path);

  const ChatSettings& settings() const { return settings_; }
  // Throws an input Error that names the setting; the old ones stay then.
  void change(const ChatSettings& settings);
  const std::vector<Message>& messages() const { return messages_; }
  // Longest conversation that the model reads, its answer included.
  std::int64_t context() const;

 private:
  std::vector<std::int32_t> prompt() const;
  // Leaves out old turns until an answer has room; the number of turns.
  std::int64_t make_room();
  std::size_t next_turn() const;
  ChatAnswer answer(const Take& take);

  const infer::LoadedModel& model_;
  infer::TextEngine& engine_;
  const ChatTemplate& chat_;
  ChatSettings settings_;
  std::vector<Message> messages_;
  std::size_t first_ = 0;  // of the messages that still fit
};

}  // namespace fathom

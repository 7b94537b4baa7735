// A conversation between a person and a model, turn by turn: `fathom chat` without its terminal.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "align/chat_responder.h"
#include "align/local_chat.h"

namespace fathom {

class ChatSession {
 public:
  // Throws an input Error for settings that cannot be used.
  ChatSession(std::unique_ptr<ChatResponder> responder, const ChatSettings& settings);
  // Answers by a LocalChat.
  ChatSession(const infer::LoadedModel& model, infer::TextEngine& engine, const ChatTemplate& chat,
              const ChatSettings& settings);

  // Says `text` to the model and passes on its answer, without the blanks at its beginning. When
  // the context is full, the oldest turns are no longer shown to the model. Throws an input Error
  // for a text that is blank or does not fit; the conversation is then as before, and so it is
  // after an answer of nothing.
  ChatAnswer ask(const std::string& text, const TakePiece& take);

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
  // Tokens that the answer may have, and the number of old turns that were left out for them.
  struct Room {
    std::int64_t tokens = 0, dropped_turns = 0;
  };
  // Leaves out old turns until an answer has room.
  Room make_room();
  Conversation shown() const;
  std::size_t next_turn() const;
  ChatAnswer answer(std::int64_t room, const TakePiece& take);

  std::unique_ptr<ChatResponder> responder_;
  ChatSettings settings_;
  std::vector<Message> messages_;
  std::size_t first_ = 0;  // of the messages that still fit
};

}  // namespace fathom

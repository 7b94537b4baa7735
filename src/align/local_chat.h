// Answers a chat by a model in this process.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "align/chat_responder.h"
#include "align/chat_template.h"
#include "infer/model_loader.h"
#include "infer/text_engine.h"

namespace fathom {

// The token that ends an answer in the template, which may be another than the model's files name;
// none when the template does not end answers by a special token, or does not say where one ends.
std::optional<std::int32_t> end_of_turn(const ChatTemplate& chat, const Tokenizer& tokenizer);
// Lets it end the model's texts; before an engine is made.
void stop_at_end_of_turn(infer::LoadedModel& model, const ChatTemplate& chat);

class LocalChat : public ChatResponder {
 public:
  // All outlive the object. `engine` is idle, and of `model`, which should stop_at_end_of_turn().
  LocalChat(const infer::LoadedModel& model, infer::TextEngine& engine, const ChatTemplate& chat)
      : model_(model), engine_(engine), chat_(chat) {}

  std::int64_t context() const override;
  std::int64_t prompt_tokens(const Conversation& shown, const ChatSettings& settings) override;
  ChatAnswer answer(const Conversation& shown, const ChatSettings& settings,
                    const TakePiece& take) override;

 private:
  std::vector<std::int32_t> prompt(const Conversation& shown, const ChatSettings& settings) const;

  const infer::LoadedModel& model_;
  infer::TextEngine& engine_;
  const ChatTemplate& chat_;
};

}  // namespace fathom

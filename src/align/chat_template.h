// Chat templates: how a model sees a conversation. One function makes tokens of conversations
// for SFT, DPO, evaluation and the server, so that a model is asked as it was taught.
//
// What people wrote never becomes a special token: these are recognised only in the template's
// own text. All ids equal those of transformers' apply_chat_template() otherwise.
#pragma once

#include <cstdint>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "align/conversation.h"
#include "align/jinja/template.h"
#include "tokenizer/tokenizer.h"

namespace fathom {

// What to do with the system prompt of a conversation.
enum class SystemPrompt {
  keep,       // as it is
  add,        // `system_text` where a conversation has none
  replace,    // `system_text` in every conversation
  leave_out,  // none in any
};
inline std::span<const std::string_view> enum_names(SystemPrompt) {
  static constexpr std::string_view names[] = {"keep", "add", "replace", "leave_out"};
  return names;
}

// Which of the assistant's messages are learned, of those with Message::learned.
enum class LearnedTurns { all, last };
inline std::span<const std::string_view> enum_names(LearnedTurns) {
  static constexpr std::string_view names[] = {"all", "last"};
  return names;
}

struct ChatOptions {
  SystemPrompt system = SystemPrompt::keep;
  std::string system_text;
  LearnedTurns learned = LearnedTurns::all;
  std::optional<std::tm> now;  // of strftime_now(); a template that asks for it needs it
  nlohmann::ordered_json variables = nlohmann::ordered_json::object();  // such as enable_thinking
};

struct EncodedChat {
  std::vector<std::int32_t> tokens;
  std::vector<std::uint8_t> learned;  // 1 for the assistant's tokens, its end of turn included
  bool ends_turns = true;             // every learned answer has its end-of-turn token
};

class ChatTemplate {
 public:
  // `choice` is "deepseek" (DeepSeek LLM's), "chatml" or "plain", the path of a .jinja file, the
  // name of one of the model's own templates, or empty for the model's default. `directory` is
  // the model's: chat_template.jinja, additional_chat_templates/ and tokenizer_config.json are
  // looked for in it. Throws an input Error when the choice is not to be found, and for a
  // template that needs special tokens which the tokenizer lacks.
  static ChatTemplate open(const std::string& choice, const std::string& directory,
                           const Tokenizer& tokenizer);
  // Of a template's text; `special_tokens` are variables such as "bos_token".
  static ChatTemplate from_source(std::string_view source, const std::string& name,
                                  std::map<std::string, std::string> special_tokens);

  // A conversation as a model reads it before it answers. Errors: those of
  // check_conversation(), and of a template that refuses the conversation.
  std::vector<std::int32_t> encode_prompt(const Conversation& conversation,
                                          const Tokenizer& tokenizer,
                                          const ChatOptions& options = {}) const;
  // A conversation with its answers as it is learned. Where the template has no {% generation %}
  // tag, an answer is the text by which the conversation with it is longer than the
  // conversation before it with a generation prompt. Throws an input Error when a template
  // renders earlier messages differently once more follow, so that this is not defined.
  EncodedChat encode(const Conversation& conversation, const Tokenizer& tokenizer,
                     const ChatOptions& options = {}) const;

  const std::string& name() const { return name_; }
  const std::string& source() const { return source_; }
  // What its variables "bos_token", "eos_token" and so on stand for.
  const std::map<std::string, std::string>& special_tokens() const { return special_tokens_; }
  // XXH3 of all that the ids depend on besides the conversation, the tokenizer and the options.
  std::uint64_t hash() const;

 private:
  RenderedText render(const Conversation& conversation, bool generation_prompt,
                      const ChatOptions& options) const;
  const JinjaTemplate& template_for(const Conversation& conversation) const;

  std::string name_, source_, tool_source_;
  std::optional<JinjaTemplate> default_, with_tools_;  // the second: for conversations with tools
  std::map<std::string, std::string> special_tokens_;
};

}  // namespace fathom

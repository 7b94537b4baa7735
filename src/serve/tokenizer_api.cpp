#include "serve/tokenizer_api.h"

#include "serve/chat_request.h"
#include "serve/request_fields.h"

namespace fathom::serve {
namespace {

Json token_json(const Tokenizer& tokenizer, std::optional<std::int32_t> id) {
  return id ? Json(tokenizer.id_to_token(*id)) : Json(nullptr);
}

}  // namespace

TokenizeRequest parse_tokenize_request(std::string_view body) {
  RequestFields fields = RequestFields::parse(body);
  TokenizeRequest request;
  request.model = fields.text("model").value_or("");
  const auto prompt = fields.text("prompt");
  const auto messages = fields.find("messages");
  if (prompt.has_value() == messages.has_value()) {
    refuse("prompt", "give either 'prompt' or 'messages'");
  }
  request.prompt = prompt.value_or("");
  if (messages) {
    request.conversation = about_field("messages", [&] { return read_messages(*messages); });
  }
  request.add_special_tokens = fields.boolean("add_special_tokens").value_or(true);
  fields.refuse_unknown();
  return request;
}

DetokenizeRequest parse_detokenize_request(std::string_view body) {
  RequestFields fields = RequestFields::parse(body);
  DetokenizeRequest request;
  request.model = fields.text("model").value_or("");
  const auto tokens = fields.find("tokens");
  if (!tokens) refuse("tokens", "'tokens' is missing: give a list of token ids");
  about_field("tokens", [&] {
    for (const JsonValue& token : tokens->items()) {
      request.tokens.push_back(static_cast<std::int32_t>(token.integer(0, max_int32)));
    }
  });
  fields.refuse_unknown();
  return request;
}

std::vector<std::int32_t> tokenize_text(const TokenizeRequest& request,
                                        const Tokenizer& tokenizer) {
  const auto post_processor = request.add_special_tokens ? Template::apply : Template::skip;
  return tokenizer.encode(request.prompt, {post_processor, SpecialText::as_text});
}

std::string detokenize_text(const DetokenizeRequest& request, const Tokenizer& tokenizer) {
  return about_field("tokens",
                     [&] { return tokenizer.decode(request.tokens, SpecialTokens::keep); });
}

Json tokenize_json(const std::vector<std::int32_t>& tokens, std::int64_t max_length) {
  return {{"count", tokens.size()}, {"max_model_len", max_length}, {"tokens", tokens}};
}

Json tokenizer_info_json(const Tokenizer& tokenizer, const ChatTemplate* chat,
                         std::int64_t max_length) {
  return {{"tokenizer_class", "fathom"},
          {"vocab_size", tokenizer.vocab_size()},
          {"max_model_len", max_length},
          {"bos_token", token_json(tokenizer, tokenizer.bos_id())},
          {"eos_token", token_json(tokenizer, tokenizer.eos_id())},
          {"pad_token", token_json(tokenizer, tokenizer.pad_id())},
          {"chat_template", chat ? Json(chat->source()) : Json(nullptr)}};
}

}  // namespace fathom::serve

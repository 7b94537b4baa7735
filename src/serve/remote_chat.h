// Answers a chat by a server that speaks OpenAI's API: fathom serve, or another.
#pragma once

#include <cstdint>
#include <string>

#include "align/chat_responder.h"
#include "serve/http_fetch.h"
#include "serve/json_text.h"

namespace fathom::serve {

class RemoteChat : public ChatResponder {
 public:
  // Asks the server for its model. Throws an input Error for a wrong address or key, and a run-time
  // Error when no server answers; so do the members, also when the server stops midway.
  RemoteChat(const std::string& url, std::string api_key);

  const std::string& model() const { return model_; }
  std::int64_t context() const override { return context_; }
  // 0 when the server does not count tokens.
  std::int64_t prompt_tokens(const Conversation& shown, const ChatSettings& settings) override;
  ChatAnswer answer(const Conversation& shown, const ChatSettings& settings,
                    const TakePiece& take) override;

 private:
  // The whole answer to a GET, or with a body to a POST. Gives up after 30 seconds.
  Fetched ask(const std::string& path, const std::string& body = "") const;
  // The JSON of an answer 200; others are refused.
  Json json_of(const Fetched& fetched) const;
  [[noreturn]] void refuse(const Fetched& fetched) const;

  ServerUrl server_;
  std::string api_key_, model_;
  std::int64_t context_;
  bool counts_tokens_ = true;
};

}  // namespace fathom::serve

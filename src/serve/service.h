// What the server answers to each path: requests in, replies or generations out. It knows nothing
// of connections.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "align/chat_template.h"
#include "infer/model_loader.h"
#include "serve/engine_thread.h"
#include "serve/metrics.h"
#include "serve/prompt_limits.h"
#include "serve/response.h"

namespace fathom::serve {

struct ServiceOptions {
  std::string model_name;
  std::vector<std::string> api_keys;  // empty: none is needed
  ApiLimits limits;
};

struct HttpRequest {
  std::string method, path;   // the path without its query
  std::string authorization;  // the header's value
  std::string if_none_match;  // likewise
  std::string body;
};

struct Reply {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;  // more of them
  std::string cache_control = "no-store";
};

// A request that the engine is to answer.
struct Generation {
  std::vector<infer::TextRequest> requests;
  std::unique_ptr<Response> response;
  bool stream = false;
};

// The reply that tells of an error.
Reply error_reply(const ApiError& error);

class Service {
 public:
  // All outlive the service. `chat` null: the model has no chat template.
  Service(const infer::LoadedModel& model, const ChatTemplate* chat, EngineThread& engine,
          Metrics& metrics, ServiceOptions options);

  // Whether the path and method are known and the key is right; refuses by an error's reply. Needs
  // no body, so that large ones are refused before they are read.
  std::optional<Reply> refuse_early(const HttpRequest& request) const;
  // Whether answer() returns at once, so that the network's thread may call it.
  static bool answers_at_once(const HttpRequest& request);
  // Any thread may call it.
  std::variant<Reply, Generation> answer(const HttpRequest& request) const;

 private:
  using Answer = std::variant<Reply, Generation>;
  using Handler = Answer (Service::*)(const HttpRequest&) const;
  struct Route {
    std::string_view method, path;
    Handler handler;
  };
  static const std::vector<Route>& routes();
  const Route* find(const HttpRequest& request) const;

  Answer health(const HttpRequest&) const;
  Answer metrics(const HttpRequest&) const;
  Answer models(const HttpRequest&) const;
  Answer tokenizer_info(const HttpRequest&) const;
  Answer tokenize(const HttpRequest& request) const;
  Answer detokenize(const HttpRequest& request) const;
  Answer completions(const HttpRequest& request) const;
  Answer chat_completions(const HttpRequest& request) const;
  Answer page(const HttpRequest& request) const;

  // Throws an ApiError 404 for another model than the one that is served.
  void check_model(const std::string& name) const;
  // Throws an ApiError 400 for more sequences than the queue ever has room for.
  void check_sequences(std::int64_t count) const;
  // Throws an ApiError 400 when the engine would refuse one of the requests.
  void check(const std::vector<infer::TextRequest>& requests, const char* param) const;
  std::vector<std::int32_t> chat_prompt(const Conversation& conversation) const;
  ResponseHead head(const char* prefix) const;
  bool has_key(const std::string& authorization) const;

  const infer::LoadedModel& model_;
  const ChatTemplate* chat_;
  std::optional<std::int32_t> end_of_turn_;
  EngineThread& engine_;
  Metrics& metrics_;
  ServiceOptions options_;
  PromptLimits prompt_limits_;
  std::int64_t started_;  // Unix time
};

}  // namespace fathom::serve

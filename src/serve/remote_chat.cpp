#include "serve/remote_chat.h"

#include <chrono>
#include <limits>
#include <optional>
#include <utility>

#include "core/error.h"

namespace fathom::serve {
namespace {

// Of a server that does not tell its context.
constexpr std::int64_t unknown_context = std::int64_t{1} << 40;
constexpr std::chrono::seconds longest_wait{30};  // for all but generated text

Json messages_of(const Conversation& shown, const ChatSettings& settings) {
  Json messages = Json::array();
  if (settings.system) messages.push_back({{"role", "system"}, {"content", *settings.system}});
  for (const Message& message : shown.messages) {
    messages.push_back({{"role", message.role}, {"content", message.content()}});
  }
  return messages;
}

// Fields that other servers may not know are sent only where they change something.
Json request_of(const Conversation& shown, const ChatSettings& settings) {
  const infer::SamplingOptions& sampling = settings.sampling;
  Json request = {{"messages", messages_of(shown, settings)},
                  {"stream", true},
                  {"max_tokens", settings.max_tokens},
                  {"temperature", sampling.temperature},
                  {"top_p", sampling.top_p}};
  if (sampling.top_k > 0) request["top_k"] = sampling.top_k;
  if (sampling.min_p > 0) request["min_p"] = sampling.min_p;
  if (sampling.repetition_penalty != 1) request["repetition_penalty"] = sampling.repetition_penalty;
  // A request has no stream of random numbers beside its seed.
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  request["seed"] = (sampling.seed + sampling.stream) & most;
  return request;
}

std::string text_at(const Json& json, const char* pointer) {
  const Json::json_pointer at(pointer);
  return json.contains(at) && json.at(at).is_string() ? json.at(at).get<std::string>() : "";
}

// The data of server-sent events, whose lines may end anywhere in what the network gives.
class EventLines {
 public:
  void push(std::string_view bytes) { rest_ += bytes; }
  std::optional<std::string> next() {
    while (true) {
      const std::size_t end = rest_.find('\n', at_);
      if (end == std::string::npos) break;
      std::string_view line = std::string_view(rest_).substr(at_, end - at_);
      at_ = end + 1;
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (!line.starts_with("data:")) continue;
      line.remove_prefix(line.starts_with("data: ") ? 6 : 5);
      return std::string(line);
    }
    rest_.erase(0, std::exchange(at_, 0));
    return std::nullopt;
  }

 private:
  std::string rest_;
  std::size_t at_ = 0;
};

infer::FinishReason finish_of(const std::string& reason) {
  if (reason == "length") return infer::FinishReason::length;
  return reason.empty() ? infer::FinishReason::none : infer::FinishReason::stop;
}

}  // namespace

RemoteChat::RemoteChat(const std::string& url, std::string api_key)
    : server_(parse_server_url(url)), api_key_(std::move(api_key)), context_(unknown_context) {
  const Json models = json_of(ask("/v1/models"));
  model_ = text_at(models, "/data/0/id");
  if (model_.empty()) fail_runtime("{} names no model: is it a server of OpenAI's API?", url);
  const Json& model = models["data"][0];
  if (model.contains("max_model_len") && model["max_model_len"].is_number_integer()) {
    context_ = model["max_model_len"];
  }
}

Fetched RemoteChat::ask(const std::string& path, const std::string& body) const {
  const auto deadline = std::chrono::steady_clock::now() + longest_wait;
  std::string text;
  Fetched fetched = fetch(server_, {path, body, api_key_}, [&](std::string_view bytes) {
    text += bytes;
    return std::chrono::steady_clock::now() < deadline;
  });
  if (fetched.stopped) {
    fail_runtime("{} does not answer within {} s", server_.text, longest_wait.count());
  }
  if (fetched.status == 200) fetched.body = std::move(text);
  return fetched;
}

Json RemoteChat::json_of(const Fetched& fetched) const {
  if (fetched.status != 200) refuse(fetched);
  Json json = Json::parse(fetched.body, nullptr, false);
  if (!json.is_object()) {
    fail_runtime("{} answers no JSON: is it a server of OpenAI's API?", server_.text);
  }
  return json;
}

void RemoteChat::refuse(const Fetched& fetched) const {
  if (fetched.status == 401) {
    fail_input("{}: the API key is {}: give it in --api-key-file or FATHOM_API_KEY", server_.text,
               api_key_.empty() ? "missing" : "wrong");
  }
  std::string message = text_at(Json::parse(fetched.body, nullptr, false), "/error/message");
  if (message.empty()) message = fmt::format("the server answers with status {}", fetched.status);
  const bool ours = fetched.status >= 400 && fetched.status < 500 && fetched.status != 429;
  throw Error(ours ? ErrorKind::input : ErrorKind::runtime,
              fmt::format("{}: {}", server_.text, message));
}

std::int64_t RemoteChat::prompt_tokens(const Conversation& shown, const ChatSettings& settings) {
  if (!counts_tokens_ || context_ == unknown_context) return 0;
  const Json request = {{"model", model_}, {"messages", messages_of(shown, settings)}};
  const Fetched fetched = ask("/tokenize", json_text(request));
  counts_tokens_ = fetched.status != 404;
  return counts_tokens_ ? json_of(fetched).value("count", std::int64_t{0}) : 0;
}

ChatAnswer RemoteChat::answer(const Conversation& shown, const ChatSettings& settings,
                              const TakePiece& take) {
  Json request = request_of(shown, settings);
  request["model"] = model_;
  EventLines lines;
  ChatAnswer answer;
  bool complete = false;
  const auto take_event = [&](const std::string& data) {
    complete = complete || data == "[DONE]";
    if (complete) return true;
    const Json event = Json::parse(data, nullptr, false);
    const std::string error = text_at(event, "/error/message");
    if (!error.empty()) fail_runtime("{}: {}", server_.text, error);
    const std::string reason = text_at(event, "/choices/0/finish_reason");
    if (!reason.empty()) answer.finish = finish_of(reason);
    return take(text_at(event, "/choices/0/delta/content"));
  };
  const Fetched fetched = fetch(server_, {"/v1/chat/completions", json_text(request), api_key_},
                                [&](std::string_view bytes) {
                                  if (bytes.empty()) return take("");
                                  lines.push(bytes);
                                  while (const auto data = lines.next()) {
                                    if (!take_event(*data)) return false;
                                  }
                                  return true;
                                });
  answer.stopped = fetched.stopped;
  if (!answer.stopped && fetched.status != 200) refuse(fetched);
  if (!answer.stopped && !complete) {
    fail_runtime("{}: the answer ended before it was complete", server_.text);
  }
  return answer;
}

}  // namespace fathom::serve

#include "serve/service.h"

#include <algorithm>
#include <ctime>
#include <random>

#include "align/chat_session.h"
#include "serve/json_text.h"
#include "serve/pages.h"
#include "serve/tokenizer_api.h"

namespace fathom::serve {
namespace {

Reply json_reply(const Json& json) {
  return {200, json_text(json), "application/json", {}};
}

std::uint64_t random_bits() {
  thread_local std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

// Takes the same time wherever the texts differ, so that a key cannot be guessed byte by byte.
bool equal_in_constant_time(std::string_view a, std::string_view b) {
  unsigned different = a.size() != b.size();
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char other = b.empty() ? '\0' : b[i % b.size()];
    different |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(other);
  }
  return different == 0;
}

char lower_case(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  return local;
}

void check_log_probabilities(const std::vector<infer::TextRequest>& requests,
                             std::int64_t max_length, std::int64_t most) {
  std::int64_t values = 0;
  for (const infer::TextRequest& request : requests) {
    const auto& prompt = std::get<std::vector<std::int32_t>>(request.prompt);
    if (request.log_probabilities) {
      const std::int64_t tokens = std::min(request.max_tokens, max_length - std::ssize(prompt));
      values += tokens * (*request.log_probabilities + 1);
    }
    if (request.prompt_log_probabilities) {
      values += std::ssize(prompt) * (*request.prompt_log_probabilities + 1);
    }
  }
  if (values <= most) return;
  refuse("logprobs",
         "the request asks for up to {} log-probabilities, and {} are allowed: ask for fewer "
         "prompts, texts or tokens at once",
         values, most);
}

}  // namespace

Reply error_reply(const ApiError& error) {
  Reply reply{error.status(), error_body(error), "application/json", {}};
  if (error.status() == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (error.status() == 429) reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

Service::Service(const infer::LoadedModel& model, const ChatTemplate* chat, EngineThread& engine,
                 Metrics& metrics, ServiceOptions options)
    : model_(model),
      chat_(chat),
      engine_(engine),
      metrics_(metrics),
      options_(std::move(options)),
      prompt_limits_(model.tokenizer, engine.max_length()),
      started_(std::time(nullptr)) {
  if (chat_) end_of_turn_ = end_of_turn(*chat_, model_.tokenizer);
}

const std::vector<Service::Route>& Service::routes() {
  static const std::vector<Route> all = [] {
    std::vector<Route> routes{
        {"GET", "/health", &Service::health},
        {"GET", "/metrics", &Service::metrics},
        {"GET", "/v1/models", &Service::models},
        {"GET", "/tokenizer_info", &Service::tokenizer_info},
        {"POST", "/tokenize", &Service::tokenize},
        {"POST", "/detokenize", &Service::detokenize},
        {"POST", "/v1/completions", &Service::completions},
        {"POST", "/v1/chat/completions", &Service::chat_completions},
    };
    for (const auto path : page_paths()) routes.push_back({"GET", path, &Service::page});
    return routes;
  }();
  return all;
}

const Service::Route* Service::find(const HttpRequest& request) const {
  const auto found = std::ranges::find_if(routes(), [&](const Route& route) {
    const bool reads = request.method == "HEAD" && route.method == "GET";
    return route.path == request.path && (route.method == request.method || reads);
  });
  return found == routes().end() ? nullptr : &*found;
}

bool Service::has_key(const std::string& authorization) const {
  if (options_.api_keys.empty()) return true;
  // Schemes' names have no case (RFC 9110, section 11.1).
  constexpr std::string_view scheme = "bearer ";
  const std::string_view header = authorization;
  const bool bears = std::ranges::equal(header.substr(0, scheme.size()), scheme, {}, lower_case);
  if (!bears) return false;
  const std::string_view given = header.substr(scheme.size());
  bool right = false;
  for (const std::string& key : options_.api_keys) right |= equal_in_constant_time(given, key);
  return right;
}

std::optional<Reply> Service::refuse_early(const HttpRequest& request) const {
  const bool is_open = request.path == "/health" || is_page(request.path);
  if (!is_open && !has_key(request.authorization)) {
    return error_reply(ApiError(401,
                                "the API key is missing or wrong: send the header "
                                "Authorization: Bearer KEY",
                                "", "invalid_api_key"));
  }
  if (find(request)) return std::nullopt;
  for (const Route& route : routes()) {
    if (route.path != request.path) continue;
    Reply reply = error_reply(ApiError(
        405, fmt::format("{} takes {}, not {}", route.path, route.method, request.method)));
    reply.headers.emplace_back("Allow", route.method);
    return reply;
  }
  return error_reply(ApiError(404, fmt::format("there is no {}", shortened(request.path))));
}

bool Service::answers_at_once(const HttpRequest& request) {
  return request.path == "/health" || request.path == "/metrics" || is_page(request.path);
}

Service::Answer Service::answer(const HttpRequest& request) const {
  try {
    const Route* route = find(request);
    if (!route) throw ApiError(404, fmt::format("there is no {}", shortened(request.path)));
    return (this->*route->handler)(request);
  } catch (const ApiError& error) {
    return error_reply(error);
  } catch (const Error& error) {
    return error_reply(ApiError(error.kind() == ErrorKind::input ? 400 : 500, error.what()));
  } catch (const std::bad_alloc&) {
    return error_reply(ApiError(503, "the server has no memory for this request"));
  } catch (const std::exception& error) {
    return error_reply(ApiError(500, error.what()));
  }
}

Service::Answer Service::health(const HttpRequest&) const {
  if (engine_.healthy()) {
    Json json = {{"status", "ok"}};
    if (const auto step = engine_.training_step()) json["step"] = *step;
    return json_reply(json);
  }
  const std::string failure = engine_.failure();
  throw ApiError(503, failure.empty() ? "the engine has stalled: a step takes too long"
                                      : "the engine failed: " + failure);
}

Service::Answer Service::metrics(const HttpRequest&) const {
  return Reply{200, metrics_.text(), "text/plain; version=0.0.4; charset=utf-8", {}};
}

Service::Answer Service::models(const HttpRequest&) const {
  Json model = {{"id", options_.model_name},
                {"object", "model"},
                {"created", started_},
                {"owned_by", "fathom"},
                {"max_model_len", engine_.max_length()},
                {"batch_invariant", engine_.batch_invariance() == BatchInvariance::on}};
  if (const auto step = engine_.training_step()) model["step"] = *step;
  return json_reply({{"object", "list"}, {"data", Json::array({model})}});
}

Service::Answer Service::tokenizer_info(const HttpRequest&) const {
  return json_reply(tokenizer_info_json(model_.tokenizer, chat_, engine_.max_length()));
}

Service::Answer Service::tokenize(const HttpRequest& request) const {
  const TokenizeRequest parsed = parse_tokenize_request(request.body);
  check_model(parsed.model);
  const std::vector<std::int32_t> ids = parsed.conversation
                                            ? chat_prompt(*parsed.conversation)
                                            : tokenize_text(parsed, model_.tokenizer);
  return json_reply(tokenize_json(ids, engine_.max_length()));
}

Service::Answer Service::detokenize(const HttpRequest& request) const {
  const DetokenizeRequest parsed = parse_detokenize_request(request.body);
  check_model(parsed.model);
  if (std::ssize(parsed.tokens) > engine_.max_length()) {
    refuse("tokens", "'tokens' has {} ids: use at most {}", parsed.tokens.size(),
           engine_.max_length());
  }
  return json_reply({{"prompt", detokenize_text(parsed, model_.tokenizer)}});
}

Service::Answer Service::completions(const HttpRequest& request) const {
  CompletionRequest parsed = parse_completion_request(request.body, options_.limits);
  check_model(parsed.model);
  check_sequences(std::ssize(parsed.prompts) * parsed.best_of);
  if (!parsed.seeded) parsed.sampling.seed = random_bits();
  std::vector<EncodedPrompt> prompts = encode_prompts(parsed, model_.tokenizer, prompt_limits_);
  Generation generation;
  generation.requests = engine_requests(parsed, prompts);
  check(generation.requests, "prompt");
  generation.stream = parsed.stream;
  generation.response =
      completion_response(parsed, std::move(prompts), model_.tokenizer, head("cmpl"));
  return generation;
}

Service::Answer Service::chat_completions(const HttpRequest& request) const {
  ChatRequest parsed = parse_chat_request(request.body, options_.limits);
  check_model(parsed.model);
  check_sequences(parsed.n);
  if (!parsed.seeded) parsed.sampling.seed = random_bits();
  std::int64_t bytes = 0;
  for (const Message& message : parsed.conversation.messages) {
    bytes += std::ssize(message.content());
  }
  prompt_limits_.check_bytes("messages", bytes);
  const std::vector<std::int32_t> prompt = chat_prompt(parsed.conversation);
  prompt_limits_.check_tokens("messages", std::ssize(prompt));
  Generation generation;
  generation.requests = engine_requests(parsed, prompt, engine_.max_length(), end_of_turn_);
  check(generation.requests, "messages");
  generation.stream = parsed.stream;
  generation.response =
      chat_response(parsed, std::ssize(prompt), model_.tokenizer, head("chatcmpl"));
  return generation;
}

Service::Answer Service::page(const HttpRequest& request) const {
  return page_reply(request);
}

void Service::check_model(const std::string& name) const {
  if (name.empty() || name == options_.model_name) return;
  throw ApiError(404,
                 fmt::format("there is no model '{}': this server has '{}'", shortened(name),
                             options_.model_name),
                 "model", "model_not_found");
}

void Service::check_sequences(std::int64_t count) const {
  if (count <= engine_.capacity()) return;
  refuse("n",
         "the request asks for {} sequences, and the server's queue holds {}: ask for fewer "
         "prompts or texts",
         count, engine_.capacity());
}

void Service::check(const std::vector<infer::TextRequest>& requests, const char* param) const {
  // All of them differ in their prompts and streams alone.
  const std::vector<std::int32_t>* before = nullptr;
  for (const infer::TextRequest& request : requests) {
    const auto& prompt = std::get<std::vector<std::int32_t>>(request.prompt);
    if (!before || prompt != *before) about_field(param, [&] { engine_.check(request); });
    before = &prompt;
  }
  check_log_probabilities(requests, engine_.max_length(), options_.limits.max_log_probabilities);
}

std::vector<std::int32_t> Service::chat_prompt(const Conversation& conversation) const {
  if (!chat_) {
    refuse("messages",
           "the model has no chat template: use /v1/completions, or start the server with "
           "--template");
  }
  ChatOptions options;
  options.now = local_time();
  return about_field("messages",
                     [&] { return chat_->encode_prompt(conversation, model_.tokenizer, options); });
}

ResponseHead Service::head(const char* prefix) const {
  return {fmt::format("{}-{:016x}{:016x}", prefix, random_bits(), random_bits()),
          static_cast<std::int64_t>(std::time(nullptr)), options_.model_name};
}

}  // namespace fathom::serve

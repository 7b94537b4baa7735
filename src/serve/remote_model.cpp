#include "serve/remote_model.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <thread>
#include <vector>

#include "core/error.h"
#include "eval/text_metrics.h"
#include "text/utf8.h"

namespace fathom::serve {
namespace {

// The bytes of a token. One that is no whole characters is spelled "bytes:\\xe4\\xb8".
std::int64_t bytes_of(std::string_view token) {
  if (!token.starts_with("bytes:")) return std::ssize(token);
  token.remove_prefix(6);
  std::int64_t count = 0;
  for (std::size_t i = 0; i < token.size(); i += token.substr(i).starts_with("\\x") ? 4 : 1) ++count;
  return count;
}

std::string message_of(const std::string& body) {
  const Json json = Json::parse(body, nullptr, false);
  const Json::json_pointer at("/error/message");
  return json.is_object() && json.contains(at) && json.at(at).is_string() ? json.at(at).get<std::string>() : "";
}

// An answer's text; null is an empty one. `where` begins the message when it has none.
std::string text_of(const Json& answer, const char* pointer, const std::string& where) {
  const Json::json_pointer at(pointer);
  const Json text_or_null = answer.contains(at) ? answer.at(at) : Json(0);
  if (text_or_null.is_null()) return "";
  if (!text_or_null.is_string()) fail_runtime("{}: the answer has no text at {}", where, pointer);
  std::string text = text_or_null.get<std::string>();
  utf8::replace_invalid(text);
  return text;
}

std::int64_t prompt_tokens(const Json& answer, const std::string& where) {
  const Json::json_pointer at("/usage/prompt_tokens");
  if (!answer.contains(at) || !answer.at(at).is_number_integer()) {
    fail_runtime("{}: the answer does not tell the prompt's length in tokens (usage.prompt_tokens)", where);
  }
  return answer.at(at).get<std::int64_t>();
}

double log_probability(const Json& value, std::int64_t token, const std::string& where) {
  if (!value.is_number()) fail_runtime("{}: the answer's log-probability of token {} is no number", where, token);
  return value.get<double>();
}

// The bytes of the token that ends `text_so_far`. Servers spell a part of a character as U+FFFD.
std::int64_t checked_bytes(const Json& token, std::string_view text_so_far, std::int64_t number,
                           const std::string& where) {
  if (!token.is_string()) fail_runtime("{}: the answer's token {} is no text", where, number);
  const std::string text = token.get<std::string>();
  if (text.find("\xEF\xBF\xBD") != std::string::npos && !text_so_far.ends_with(text)) {
    fail_runtime("{}: the server does not tell the bytes of token {}, which is part of a character", where, number);
  }
  return bytes_of(text);
}

// Servers may answer with a stop string, or more than it, at the end.
std::string cut_at(std::string text, const std::vector<std::string>& stop) {
  for (const std::string& one : stop) text = text.substr(0, text.find(one));
  return text;
}

}  // namespace

eval::PairScore score_of_echo(const Json& answer, std::string_view scored, const std::string& where) {
  const Json::json_pointer at("/choices/0/logprobs");
  const Json none = Json::object();
  const Json& all = answer.contains(at) && answer.at(at).is_object() ? answer.at(at) : none;
  const Json values = all.value("token_logprobs", Json()), tokens = all.value("tokens", Json()),
             tops = all.value("top_logprobs", Json());
  const bool whole = values.is_array() && tokens.is_array() && tops.is_array() && !values.empty() &&
                     tokens.size() == values.size() && tops.size() == values.size();
  if (!whole) fail_runtime("{}: the answer has no log-probabilities of the prompt (echo, logprobs)", where);
  const std::int64_t entries = std::ssize(values), prompt = prompt_tokens(answer, where);
  // The last entry may be a generated token.
  if (prompt != entries && prompt != entries - 1) {
    fail_runtime("{}: the answer has {} tokens for a prompt of {}", where, entries, prompt);
  }
  eval::PairScore score;
  std::vector<double> terms;  // from the last token backwards
  std::string_view left = scored;
  for (std::int64_t number = prompt - 1; number >= 0 && !left.empty(); --number) {
    const auto i = static_cast<std::size_t>(number);
    const std::int64_t bytes = checked_bytes(tokens[i], left, number, where);
    if (bytes > std::ssize(left)) break;
    left.remove_suffix(static_cast<std::size_t>(bytes));
    if (values[i].is_null()) {
      fail_runtime("{}: the server gives no probability of the text's first token: its model puts no token before it", where);
    }
    const double value = log_probability(values[i], number, where);
    double best = value;
    for (const auto& top : tops[i].items()) best = std::max(best, log_probability(top.value(), number, where));
    terms.push_back(static_cast<float>(value));  // which the text stands for
    score.greedy = score.greedy && value >= best;
    ++score.tokens;
  }
  // In the order in which a model of this process adds them, for the same bits.
  for (auto term = terms.rbegin(); term != terms.rend(); ++term) score.log_probability += *term;
  return score;
}

RemoteModel::RemoteModel(const std::string& url, std::string api_key, const Options& options)
    : server_(parse_server_url(url)), api_key_(std::move(api_key)), options_(options) {
  const Json models = ask("/v1/models", nullptr);
  model_ = text_of(models, "/data/0/id", url);
  if (model_.empty()) fail_runtime("{}: the server names no model", url);
  batch_invariant_ = models["data"][0].value("batch_invariant", Json(false)) == Json(true);
}

std::string RemoteModel::identity() const {
  return fmt::format("{} {}{}", server_.text, model_, batch_invariant_ ? " batch-invariant" : "");
}

Json RemoteModel::ask(const std::string& path, const Json& request) const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(options_.seconds);
  std::string body;
  const Fetched fetched = fetch(server_, {path, request.is_null() ? "" : json_text(request), api_key_},
                                [&](std::string_view bytes) {
                                  body += bytes;
                                  return std::chrono::steady_clock::now() < deadline;
                                });
  if (fetched.stopped) fail_runtime("{}: no answer within {} s", server_.text, options_.seconds);
  if (fetched.status == 401) {
    fail_input("{}: the API key is {}: give it in FATHOM_API_KEY", server_.text, api_key_.empty() ? "missing" : "wrong");
  }
  if (fetched.status != 200) {
    const std::string message = message_of(fetched.body);
    fail_runtime("{}{}: {}", server_.text, path,
                 message.empty() ? fmt::format("the server answers with status {}", fetched.status) : message);
  }
  Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) fail_runtime("{}{}: the answer is no JSON: is it a server of OpenAI's API?", server_.text, path);
  return json;
}

void RemoteModel::for_each(std::size_t count, const std::function<void(std::size_t)>& one) {
  std::atomic<std::size_t> next = 0;
  std::exception_ptr failure;
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      try {
        one(i);
      } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!failure) failure = std::current_exception();
        next = count;
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    const auto wanted = std::min(static_cast<std::size_t>(options_.connections), count);
    for (std::size_t i = 1; i < wanted; ++i) threads.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

eval::PairScore RemoteModel::score_text(const std::string& context, const std::string& continuation) {
  const std::string prompt = context + continuation;
  const Json answer = ask("/v1/completions", {{"model", model_}, {"prompt", prompt}, {"max_tokens", 1},
                                              {"temperature", 0}, {"logprobs", 1}, {"echo", true}});
  const eval::PairScore score =
      score_of_echo(answer, std::string_view(prompt).substr(eval::without_last_blanks(context).size()),
                    server_.text + "/v1/completions");
  const std::lock_guard lock(mutex_);
  work_.named += prompt_tokens(answer, server_.text);
  work_.computed = work_.named;
  return score;
}

void RemoteModel::score(std::span<const eval::TextPair> pairs, const TakeScore& take) {
  if (std::ranges::any_of(pairs, [](const eval::TextPair& pair) { return pair.chat != nullptr; })) {
    fail_input("{}: the API tells no probabilities of given answers in chats: leave out --chat, or take tasks that generate",
               server_.text);
  }
  for_each(pairs.size(), [&](std::size_t i) {
    const eval::PairScore score = score_text(pairs[i].context, pairs[i].continuation);
    const std::lock_guard lock(mutex_);
    take(i, score);
  });
}

void RemoteModel::score_documents(std::span<const std::string> documents, const TakeScore& take) {
  for_each(documents.size(), [&](std::size_t i) {
    const eval::PairScore score = score_text("", documents[i]);
    const std::lock_guard lock(mutex_);
    take(i, score);
  });
}

std::string RemoteModel::generate_text(const eval::GenerateRequest& request) {
  Json body{{"model", model_}, {"max_tokens", request.max_tokens}, {"temperature", request.temperature},
            {"top_p", request.top_p}, {"seed", 1234 + request.sample}};
  // The API takes four; what they would not have stopped is cut off here.
  if (!request.stop.empty()) {
    body["stop"] = std::vector<std::string>(request.stop.begin(), request.stop.begin() + std::min<std::ptrdiff_t>(std::ssize(request.stop), 4));
  }
  if (!request.chat) {
    body["prompt"] = request.prompt;
    const std::string path = "/v1/completions";
    return cut_at(text_of(ask(path, body), "/choices/0/text", server_.text + path), request.stop);
  }
  body["messages"] = Json::array();
  for (const Message& message : request.chat->messages) {
    body["messages"].push_back({{"role", message.role}, {"content", message.content()}});
  }
  const std::string path = "/v1/chat/completions";
  return cut_at(text_of(ask(path, body), "/choices/0/message/content", server_.text + path), request.stop);
}

void RemoteModel::generate(std::span<const eval::GenerateRequest> requests, const TakeText& take) {
  for_each(requests.size(), [&](std::size_t i) {
    const std::string text = generate_text(requests[i]);
    const std::lock_guard lock(mutex_);
    take(i, text);
  });
}

}  // namespace fathom::serve

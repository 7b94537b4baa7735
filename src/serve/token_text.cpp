#include "serve/token_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "text/utf8.h"

namespace fathom::serve {
namespace {

// JSON has no infinity; this is what other servers write for it.
double finite(float log_probability) {
  return std::isfinite(log_probability) ? double{log_probability} : -9999.0;
}

// Bytes that begin a character: those that continue one belong to it.
std::int64_t characters(std::string_view bytes) {
  return std::ranges::count_if(
      bytes, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

// By text, likeliest first, and always with the token itself. Of tokens with the same text the
// likeliest counts, so that the largest value is that of the likeliest token.
Json top_of(const Tokenizer& tokenizer, const infer::DrawnToken& drawn) {
  Json top = Json::object();
  const auto add = [&](std::int32_t token, float value) {
    const std::string text = token_text(tokenizer, token);
    if (!top.contains(text)) top[text] = finite(value);
  };
  for (const infer::TokenLogProbability& likely : drawn.likeliest) {
    add(likely.token, likely.log_probability);
  }
  add(drawn.token, *drawn.log_probability);
  return top;
}

Json chat_token(const Tokenizer& tokenizer, std::int32_t token, float log_probability) {
  const std::string_view bytes = tokenizer.id_to_bytes(token);
  Json values = Json::array();
  for (const char byte : bytes) values.push_back(static_cast<unsigned char>(byte));
  return {{"token", bytes}, {"logprob", finite(log_probability)}, {"bytes", std::move(values)}};
}

}  // namespace

std::string token_text(const Tokenizer& tokenizer, std::int32_t token) {
  const std::string_view bytes = tokenizer.id_to_bytes(token);
  if (utf8::valid_prefix(bytes) == bytes.size()) return std::string(bytes);
  std::string text = "bytes:";
  for (const char byte : bytes) text += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  return text;
}

void CompletionLogprobs::add_token(std::int32_t token, Json log_probability, Json top) {
  tokens_.push_back(token_text(tokenizer_, token));
  values_.push_back(std::move(log_probability));
  top_.push_back(std::move(top));
  offsets_.push_back(offset_);
  const bool hidden = special_ == SpecialTokens::skip && tokenizer_.is_special(token);
  if (!hidden) offset_ += characters(tokenizer_.id_to_bytes(token));
}

void CompletionLogprobs::add_first(std::int32_t token) {
  add_token(token, nullptr, nullptr);
}

void CompletionLogprobs::add(std::span<const infer::DrawnToken> tokens) {
  for (const infer::DrawnToken& drawn : tokens) {
    add_token(drawn.token, finite(*drawn.log_probability), top_of(tokenizer_, drawn));
  }
}

Json CompletionLogprobs::take() {
  return {{"tokens", std::exchange(tokens_, Json::array())},
          {"token_logprobs", std::exchange(values_, Json::array())},
          {"top_logprobs", std::exchange(top_, Json::array())},
          {"text_offset", std::exchange(offsets_, Json::array())}};
}

Json chat_logprobs(const Tokenizer& tokenizer, std::span<const infer::DrawnToken> tokens) {
  Json content = Json::array();
  for (const infer::DrawnToken& drawn : tokens) {
    Json token = chat_token(tokenizer, drawn.token, *drawn.log_probability);
    Json& top = token["top_logprobs"] = Json::array();
    for (const infer::TokenLogProbability& likely : drawn.likeliest) {
      top.push_back(chat_token(tokenizer, likely.token, likely.log_probability));
    }
    content.push_back(std::move(token));
  }
  return content;
}

}  // namespace fathom::serve

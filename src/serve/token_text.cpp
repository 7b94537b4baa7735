#include "serve/token_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>
#include <vector>

#include "text/utf8.h"

namespace fathom::serve {
namespace {

// JSON has no infinity; -9999 is what other servers write for it.
void append_number(std::string& out, float log_probability) {
  const float value = std::isfinite(log_probability) ? log_probability : -9999.0f;
  fmt::format_to(std::back_inserter(out), "{}", value);
}

void append_comma(std::string& elements) {
  if (!elements.empty()) elements += ',';
}

// Bytes that begin a character: those that continue one belong to it.
std::int64_t characters(std::string_view bytes) {
  return std::ranges::count_if(
      bytes, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

// By text, likeliest first, and always with the token itself. Of tokens with the same text the
// likeliest counts, so that the largest value is that of the likeliest token.
void append_top(std::string& out, const Tokenizer& tokenizer, const infer::DrawnToken& drawn) {
  std::vector<std::string> seen;
  out += '{';
  const auto add = [&](std::int32_t token, float value) {
    std::string text = token_text(tokenizer, token);
    if (std::ranges::find(seen, text) != seen.end()) return;
    if (!seen.empty()) out += ',';
    append_json_string(out, text);
    out += ':';
    append_number(out, value);
    seen.push_back(std::move(text));
  };
  for (const infer::TokenLogProbability& likely : drawn.likeliest) {
    add(likely.token, likely.log_probability);
  }
  add(drawn.token, *drawn.log_probability);
  out += '}';
}

// The beginning of an object, which the caller ends.
void append_chat_token(std::string& out, const Tokenizer& tokenizer, std::int32_t token,
                       float log_probability) {
  const std::string_view bytes = tokenizer.id_to_bytes(token);
  out += R"({"token":)";
  append_json_string(out, bytes);
  out += R"(,"logprob":)";
  append_number(out, log_probability);
  out += R"(,"bytes":[)";
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i > 0) out += ',';
    out += std::to_string(static_cast<unsigned char>(bytes[i]));
  }
  out += ']';
}

}  // namespace

std::string token_text(const Tokenizer& tokenizer, std::int32_t token) {
  const std::string_view bytes = tokenizer.id_to_bytes(token);
  if (utf8::valid_prefix(bytes) == bytes.size()) return std::string(bytes);
  std::string text = "bytes:";
  for (const char byte : bytes) text += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  return text;
}

void CompletionLogprobs::add_token(std::int32_t token) {
  for (std::string* elements : {&tokens_, &values_, &top_, &offsets_}) append_comma(*elements);
  append_json_string(tokens_, token_text(tokenizer_, token));
  offsets_ += std::to_string(offset_);
  const bool hidden = special_ == SpecialTokens::skip && tokenizer_.is_special(token);
  if (!hidden) offset_ += characters(tokenizer_.id_to_bytes(token));
}

void CompletionLogprobs::add_first(std::int32_t token) {
  add_token(token);
  values_ += "null";
  top_ += "null";
}

void CompletionLogprobs::add(std::span<const infer::DrawnToken> tokens) {
  for (const infer::DrawnToken& drawn : tokens) {
    add_token(drawn.token);
    append_number(values_, *drawn.log_probability);
    append_top(top_, tokenizer_, drawn);
  }
}

std::string CompletionLogprobs::take() {
  std::string json;
  json.reserve(bytes() + 80);
  const auto add = [&](std::string_view begin, std::string& elements) {
    json += begin;
    json += std::exchange(elements, {});
  };
  add(R"({"tokens":[)", tokens_);
  add(R"(],"token_logprobs":[)", values_);
  add(R"(],"top_logprobs":[)", top_);
  add(R"(],"text_offset":[)", offsets_);
  return json + "]}";
}

std::size_t CompletionLogprobs::bytes() const {
  return tokens_.capacity() + values_.capacity() + top_.capacity() + offsets_.capacity();
}

void ChatLogprobs::add(std::span<const infer::DrawnToken> tokens) {
  for (const infer::DrawnToken& drawn : tokens) {
    append_comma(content_);
    append_chat_token(content_, tokenizer_, drawn.token, *drawn.log_probability);
    content_ += R"(,"top_logprobs":[)";
    for (std::size_t i = 0; i < drawn.likeliest.size(); ++i) {
      if (i > 0) content_ += ',';
      const infer::TokenLogProbability& likely = drawn.likeliest[i];
      append_chat_token(content_, tokenizer_, likely.token, likely.log_probability);
      content_ += '}';
    }
    content_ += "]}";
  }
}

std::string ChatLogprobs::take() {
  return R"({"content":[)" + std::exchange(content_, {}) + "]}";
}

}  // namespace fathom::serve

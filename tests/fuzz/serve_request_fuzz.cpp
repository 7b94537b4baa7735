// Any bytes as the body of a request to the server: it is read and made the engine's requests, or
// refused by an error 400 whose own body is JSON.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "serve/chat_request.h"
#include "serve/completion_request.h"
#include "serve/json_text.h"
#include "serve/tokenizer_api.h"

namespace {

using namespace fathom;
using namespace fathom::serve;

void demand(bool holds) {
  if (!holds) std::abort();
}

const Tokenizer& tokenizer() {
  static const Tokenizer shared = Tokenizer::from_json(
      R"({"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]},)"
      R"("pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},)"
      R"("decoder":{"type":"ByteLevel"},"added_tokens":[{"id":3,"content":"</s>","special":true,)"
      R"("single_word":false,"lstrip":false,"rstrip":false,"normalized":false}]})");
  return shared;
}

void read(std::uint8_t kind, std::string_view body) {
  if (kind % 4 == 0) {
    const CompletionRequest request = parse_completion_request(body, {});
    const auto requests = engine_requests(request, encode_prompts(request, tokenizer()));
    demand(!requests.empty() && requests.size() <= 256);
  } else if (kind % 4 == 1) {
    const ChatRequest request = parse_chat_request(body, {});
    demand(std::ssize(engine_requests(request, {1}, 64, 3)) == request.n);
  } else if (kind % 4 == 2) {
    tokenize_text(parse_tokenize_request(body), tokenizer());
  } else {
    detokenize_text(parse_detokenize_request(body), tokenizer());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  try {
    read(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
  } catch (const ApiError& error) {
    demand(error.status() == 400);
    const Json body = Json::parse(error_body(error));
    demand(body.at("error").at("message").is_string());
  }
  return 0;
}

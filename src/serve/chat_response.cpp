#include <utility>

#include "serve/response_parts.h"
#include "serve/token_text.h"

namespace fathom::serve {
namespace {

struct Answer {
  explicit Answer(const Tokenizer& tokenizer) : logprobs(tokenizer) {}

  std::string text;
  ChatLogprobs logprobs;
  infer::FinishReason finish = infer::FinishReason::none;
};

class ChatResponse : public Response {
 public:
  ChatResponse(const ChatRequest& request, std::int64_t prompt_tokens, const Tokenizer& tokenizer,
               const ResponseHead& head)
      : begin_(begin_text(head, request.stream ? "chat.completion.chunk" : "chat.completion")),
        logprobs_(request.logprobs),
        stream_(request.stream),
        include_usage_(request.include_usage),
        answers_(static_cast<std::size_t>(request.n), Answer(tokenizer)) {
    usage_.prompt_tokens = prompt_tokens;
  }

  std::string begin() override {
    std::string text;
    if (!stream_) return text;
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      text += chunk(i, R"({"role":"assistant","content":""})", "null", infer::FinishReason::none);
    }
    return text;
  }

  std::string take(std::size_t sequence, const infer::TextEvent& event) override {
    usage_.completion_tokens += std::ssize(event.tokens);
    Answer& answer = answers_.at(sequence);
    if (logprobs_) answer.logprobs.add(event.tokens);
    if (stream_) return stream(sequence, answer, event);
    answer.text += event.text;
    answer.finish = event.finish;
    return "";
  }

  std::string finish() override {
    if (stream_) return end_of_stream();
    std::string json = begin_;
    json.reserve(bytes() + 1024);
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      Answer& answer = answers_[i];
      if (i > 0) json += ',';
      json += fmt::format(R"({{"index":{},"message":{{"role":"assistant","content":)", i);
      append_json_string(json, std::exchange(answer.text, {}));
      json += R"(},"logprobs":)";
      json += logprobs_ ? answer.logprobs.take() : "null";
      json += R"(,"finish_reason":)";
      json += finish_text(answer.finish);
      json += '}';
    }
    return json + R"(],"usage":)" + usage_text(usage_) + "}";
  }

  std::size_t bytes() const override {
    std::size_t bytes = 0;
    for (const Answer& answer : answers_) bytes += answer.text.capacity() + answer.logprobs.bytes();
    return bytes;
  }

 private:
  std::string chunk(std::size_t index, std::string_view delta, std::string_view logprobs,
                    infer::FinishReason finish) const {
    return stream_event(begin_ +
                        fmt::format(R"({{"index":{},"delta":{},"logprobs":{},"finish_reason":{}}}])",
                                    index, delta, logprobs, finish_text(finish)) +
                        (include_usage_ ? R"(,"usage":null})" : "}"));
  }

  std::string stream(std::size_t index, Answer& answer, const infer::TextEvent& event) const {
    std::string delta = "{}";
    if (!event.text.empty()) {
      delta = R"({"content":)";
      append_json_string(delta, event.text);
      delta += '}';
    }
    const bool has_logprobs = logprobs_ && !event.tokens.empty();
    const bool says_nothing =
        event.text.empty() && !logprobs_ && event.finish == infer::FinishReason::none;
    if (says_nothing) return "";
    return chunk(index, delta, has_logprobs ? answer.logprobs.take() : "null", event.finish);
  }

  std::string end_of_stream() const {
    std::string end;
    if (include_usage_) end = stream_event(begin_ + R"(],"usage":)" + usage_text(usage_) + "}");
    return end + stream_event("[DONE]");
  }

  std::string begin_;
  bool logprobs_, stream_, include_usage_;
  std::vector<Answer> answers_;
  Usage usage_;
};

}  // namespace

std::unique_ptr<Response> chat_response(const ChatRequest& request, std::int64_t prompt_tokens,
                                        const Tokenizer& tokenizer, const ResponseHead& head) {
  return std::make_unique<ChatResponse>(request, prompt_tokens, tokenizer, head);
}

}  // namespace fathom::serve

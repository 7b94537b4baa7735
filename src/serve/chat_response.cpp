#include "serve/response_parts.h"
#include "serve/token_text.h"

namespace fathom::serve {
namespace {

struct Answer {
  std::string text;
  std::vector<infer::DrawnToken> tokens;
  infer::FinishReason finish = infer::FinishReason::none;
};

class ChatResponse : public Response {
 public:
  ChatResponse(const ChatRequest& request, std::int64_t prompt_tokens, const Tokenizer& tokenizer,
               ResponseHead head)
      : tokenizer_(tokenizer),
        head_(std::move(head)),
        logprobs_(request.logprobs),
        stream_(request.stream),
        include_usage_(request.include_usage),
        answers_(static_cast<std::size_t>(request.n)) {
    usage_.prompt_tokens = prompt_tokens;
  }

  std::string begin() override {
    std::string text;
    if (!stream_) return text;
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      text += chunk(i, {{"role", "assistant"}, {"content", ""}}, {});
    }
    return text;
  }

  std::string take(std::size_t sequence, const infer::TextEvent& event) override {
    usage_.completion_tokens += std::ssize(event.tokens);
    if (stream_) return stream(sequence, event);
    Answer& answer = answers_.at(sequence);
    answer.text += event.text;
    if (logprobs_) {
      answer.tokens.insert(answer.tokens.end(), event.tokens.begin(), event.tokens.end());
    }
    answer.finish = event.finish;
    return "";
  }

  std::string finish() override {
    if (stream_) return end_of_stream();
    Json json = head_json(head_, "chat.completion");
    Json& choices = json["choices"] = Json::array();
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      const Answer& answer = answers_[i];
      choices.push_back({{"index", i},
                         {"message", {{"role", "assistant"}, {"content", answer.text}}},
                         {"logprobs", logprobs_json(answer.tokens)},
                         {"finish_reason", finish_json(answer.finish)}});
    }
    json["usage"] = usage_json(usage_);
    return json_text(json);
  }

 private:
  Json logprobs_json(std::span<const infer::DrawnToken> tokens) const {
    if (!logprobs_) return nullptr;
    return {{"content", chat_logprobs(tokenizer_, tokens)}};
  }

  std::string chunk(std::size_t index, Json delta, const infer::TextEvent& event) const {
    Json json = head_json(head_, "chat.completion.chunk");
    Json choice = {{"index", index}, {"delta", std::move(delta)}};
    choice["logprobs"] = event.tokens.empty() ? Json(nullptr) : logprobs_json(event.tokens);
    choice["finish_reason"] = finish_json(event.finish);
    json["choices"] = Json::array({std::move(choice)});
    if (include_usage_) json["usage"] = nullptr;
    return stream_event(json_text(json));
  }

  std::string stream(std::size_t index, const infer::TextEvent& event) const {
    Json delta = Json::object();
    if (!event.text.empty()) delta["content"] = event.text;
    const bool says_nothing =
        event.text.empty() && !logprobs_ && event.finish == infer::FinishReason::none;
    return says_nothing ? "" : chunk(index, std::move(delta), event);
  }

  std::string end_of_stream() const {
    std::string end;
    if (include_usage_) {
      Json json = head_json(head_, "chat.completion.chunk");
      json["choices"] = Json::array();
      json["usage"] = usage_json(usage_);
      end = stream_event(json_text(json));
    }
    return end + stream_event("[DONE]");
  }

  const Tokenizer& tokenizer_;
  ResponseHead head_;
  bool logprobs_, stream_, include_usage_;
  std::vector<Answer> answers_;
  Usage usage_;
};

}  // namespace

std::unique_ptr<Response> chat_response(const ChatRequest& request, std::int64_t prompt_tokens,
                                        const Tokenizer& tokenizer, ResponseHead head) {
  return std::make_unique<ChatResponse>(request, prompt_tokens, tokenizer, std::move(head));
}

}  // namespace fathom::serve

#include <algorithm>
#include <numeric>
#include <utility>

#include "serve/response_parts.h"
#include "serve/token_text.h"

namespace fathom::serve {
namespace {

// One of a prompt's texts.
struct Candidate {
  Candidate(const Tokenizer& tokenizer, SpecialTokens special) : logprobs(tokenizer, special) {}

  std::string text;
  CompletionLogprobs logprobs;
  infer::FinishReason finish = infer::FinishReason::none;
  double log_probability = 0;
  std::int64_t tokens = 0;
  bool begun = false;

  double mean() const { return tokens ? log_probability / static_cast<double>(tokens) : 0; }
};

class CompletionResponse : public Response {
 public:
  CompletionResponse(const CompletionRequest& request, std::vector<EncodedPrompt> prompts,
                     const Tokenizer& tokenizer, const ResponseHead& head)
      : prompts_(std::move(prompts)),
        begin_(begin_text(head, "text_completion")),
        best_of_(static_cast<std::size_t>(request.best_of)),
        n_(static_cast<std::size_t>(request.n)),
        echo_(request.echo),
        logprobs_(request.logprobs.has_value()),
        stream_(request.stream),
        include_usage_(request.include_usage),
        generates_(request.max_tokens.value_or(16) > 0),
        candidates_(prompts_.size() * best_of_, Candidate(tokenizer, request.special_tokens)) {
    for (const EncodedPrompt& prompt : prompts_) usage_.prompt_tokens += std::ssize(prompt.tokens);
  }

  std::string take(std::size_t sequence, const infer::TextEvent& event) override {
    Candidate& candidate = candidates_.at(sequence);
    if (!candidate.begun) begin(candidate, prompts_[sequence / best_of_], event);
    candidate.finish = event.finish;
    if (generates_) add(candidate, event);
    if (!stream_) return "";
    const bool says_nothing = candidate.text.empty() && !(logprobs_ && !event.tokens.empty()) &&
                              event.finish == infer::FinishReason::none;
    return says_nothing ? "" : chunk(sequence, candidate);
  }

  std::string finish() override {
    if (stream_) {
      std::string end;
      if (include_usage_) {
        end = stream_event(begin_ + R"(],"usage":)" + usage_text(usage_) + "}");
      }
      return end + stream_event("[DONE]");
    }
    std::string json = begin_;
    json.reserve(bytes() + 1024);
    std::size_t index = 0;
    for (std::size_t prompt = 0; prompt < prompts_.size(); ++prompt) {
      for (const std::size_t sequence : chosen(prompt)) {
        if (index > 0) json += ',';
        append_choice(json, index++, candidates_[sequence]);
      }
    }
    return json + R"(],"usage":)" + usage_text(usage_) + "}";
  }

  std::size_t bytes() const override {
    std::size_t bytes = 0;
    for (const Candidate& candidate : candidates_) {
      bytes += candidate.text.capacity() + candidate.logprobs.bytes();
    }
    return bytes;
  }

 private:
  void begin(Candidate& candidate, const EncodedPrompt& prompt, const infer::TextEvent& event) {
    candidate.begun = true;
    if (!echo_) return;
    candidate.text = prompt.text;
    if (!logprobs_) return;
    candidate.logprobs.add_first(prompt.tokens.front());
    candidate.logprobs.add(event.prompt_scores);
  }

  void add(Candidate& candidate, const infer::TextEvent& event) {
    candidate.text += event.text;
    candidate.tokens += std::ssize(event.tokens);
    usage_.completion_tokens += std::ssize(event.tokens);
    for (const infer::DrawnToken& token : event.tokens) {
      candidate.log_probability += token.log_probability.value_or(0);
    }
    if (logprobs_) candidate.logprobs.add(event.tokens);
  }

  // The n likeliest of a prompt's sequences by mean log-probability, likeliest first.
  std::vector<std::size_t> chosen(std::size_t prompt) const {
    std::vector<std::size_t> sequences(best_of_);
    std::iota(sequences.begin(), sequences.end(), prompt * best_of_);
    if (n_ == best_of_) return sequences;
    std::ranges::stable_sort(sequences, std::ranges::greater(),
                             [&](std::size_t i) { return candidates_[i].mean(); });
    sequences.resize(n_);
    return sequences;
  }

  // Takes its text and log-probabilities.
  void append_choice(std::string& json, std::size_t index, Candidate& candidate) const {
    json += fmt::format(R"({{"index":{},"text":)", index);
    append_json_string(json, std::exchange(candidate.text, {}));
    json += R"(,"logprobs":)";
    json += logprobs_ ? candidate.logprobs.take() : "null";
    json += R"(,"finish_reason":)";
    json += finish_text(candidate.finish);
    json += '}';
  }

  std::string chunk(std::size_t index, Candidate& candidate) {
    std::string json = begin_;
    append_choice(json, index, candidate);
    json += include_usage_ ? R"(],"usage":null})" : "]}";
    return stream_event(json);
  }

  std::vector<EncodedPrompt> prompts_;
  std::string begin_;
  std::size_t best_of_, n_;
  bool echo_, logprobs_, stream_, include_usage_, generates_;
  std::vector<Candidate> candidates_;
  Usage usage_;
};

}  // namespace

std::string stream_event(const std::string& data) {
  return "data: " + data + "\n\n";
}

std::unique_ptr<Response> completion_response(const CompletionRequest& request,
                                              std::vector<EncodedPrompt> prompts,
                                              const Tokenizer& tokenizer, const ResponseHead& head) {
  return std::make_unique<CompletionResponse>(request, std::move(prompts), tokenizer, head);
}

}  // namespace fathom::serve

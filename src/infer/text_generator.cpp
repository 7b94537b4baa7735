#include "infer/text_generator.h"

#include <map>

#include "core/error.h"
#include "infer/text_stream.h"

namespace fathom::infer {
namespace {

struct Running {
  std::size_t index;
  TextStream stream;
};

class Generation {
 public:
  Generation(Engine& engine, const Tokenizer& tokenizer, std::span<const TextRequest> requests,
             const TextCallbacks& callbacks)
      : engine_(engine),
        tokenizer_(tokenizer),
        requests_(requests),
        callbacks_(callbacks),
        results_(requests.size()) {}

  // What fails leaves no sequence behind in the engine.
  void submit_all(std::span<const std::int32_t> end_tokens) {
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      try {
        submit(i, end_tokens);
      } catch (const Error& error) {
        cancel_all();
        fail_input("prompt {}: {}", i + 1, error.what());
      }
    }
  }

  std::vector<TextResult> run() {
    while (!running_.empty()) {
      for (const GeneratedToken& token : engine_.step()) {
        const auto it = running_.find(token.sequence);
        if (it != running_.end() && take(it->second, token)) running_.erase(it);
      }
    }
    return std::move(results_);
  }

 private:
  void submit(std::size_t i, std::span<const std::int32_t> end_tokens) {
    const TextRequest& text = requests_[i];
    Request request;
    request.prompt = tokenizer_.encode(text.prompt, encode_parsing_specials);
    request.max_tokens = text.max_tokens;
    request.end_tokens.assign(end_tokens.begin(), end_tokens.end());
    request.sampling = text.sampling;
    results_[i].prompt_tokens = static_cast<std::int64_t>(request.prompt.size());
    const SequenceId id = engine_.submit(std::move(request));
    running_.emplace(id, Running{i, TextStream(tokenizer_, text.stop)});
  }

  void cancel_all() {
    for (const auto& [id, running] : running_) engine_.cancel(id);
    running_.clear();
  }

  // True when it was the last token of its text.
  bool take(Running& running, const GeneratedToken& token) {
    TextResult& result = results_[running.index];
    ++result.tokens;
    result.finish = token.finish;
    std::string piece;
    if (token.finish != FinishReason::end_of_text) piece = running.stream.push(token.token);
    if (token.finish != FinishReason::none) piece += running.stream.finish();
    if (running.stream.stopped()) {
      if (token.finish == FinishReason::none) engine_.cancel(token.sequence);
      result.finish = FinishReason::stop;
    }
    result.text += piece;
    if (callbacks_.on_text) callbacks_.on_text(running.index, piece);
    if (result.finish == FinishReason::none) return false;
    if (callbacks_.on_finish) callbacks_.on_finish(running.index, result);
    return true;
  }

  Engine& engine_;
  const Tokenizer& tokenizer_;
  std::span<const TextRequest> requests_;
  const TextCallbacks& callbacks_;
  std::vector<TextResult> results_;
  std::map<SequenceId, Running> running_;
};

}  // namespace

std::vector<TextResult> generate_texts(Engine& engine, const Tokenizer& tokenizer,
                                       std::span<const std::int32_t> end_tokens,
                                       std::span<const TextRequest> requests,
                                       const TextCallbacks& callbacks) {
  Generation generation(engine, tokenizer, requests, callbacks);
  generation.submit_all(end_tokens);
  return generation.run();
}

}  // namespace fathom::infer

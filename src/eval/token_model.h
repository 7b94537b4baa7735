// A model of this process: turns what is asked into tokens, which a derived class scores.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "align/chat_template.h"
#include "eval/language_model.h"
#include "tokenizer/tokenizer.h"

namespace fathom::eval {

// Of the draws of generated texts; GenerateRequest::sample is the stream.
inline constexpr std::uint64_t sampling_seed = 1234;

// The caller's `stopped` was true before all answers were there.
class EvaluationStopped : public std::exception {
 public:
  const char* what() const noexcept override { return "the evaluation was stopped"; }
};

struct TokenModelOptions {
  std::int64_t max_length = 0;          // of context and continuation in tokens
  const ChatTemplate* chat = nullptr;  // for requests with a chat; must outlive the model
  ChatOptions chat_options = {};
  // Asked now and then while the model works; true ends it with EvaluationStopped.
  std::function<bool()> stopped = {};
};

class TokenModel : public LanguageModel {
 public:
  // `tokenizer` must outlive this.
  TokenModel(const Tokenizer& tokenizer, TokenModelOptions options)
      : tokenizer_(tokenizer), options_(std::move(options)) {}

  void score(std::span<const TextPair> pairs, const TakeScore& take) override;
  void score_documents(std::span<const std::string> documents, const TakeScore& take) override;

 protected:
  // Tokens of which those from `first` on are scored, and which request they belong to.
  struct ScoredTokens {
    std::vector<std::int32_t> tokens;  // at most max_length + 1: the last one is not read
    std::int64_t first = 1;
    std::size_t index = 0;
    bool cut = false;  // the beginning was left out
  };
  // take(index, score) for each of these, in any order.
  virtual void score_tokens(std::vector<ScoredTokens> requests, const TakeScore& take) = 0;

  // A prompt to continue, cut so that an answer of answer_tokens(request) fits behind it.
  struct Prompt {
    std::vector<std::int32_t> tokens;
    bool cut = false;
  };
  Prompt prompt_of(const GenerateRequest& request) const;
  std::int64_t answer_tokens(const GenerateRequest& request) const;

  const Tokenizer& tokenizer() const { return tokenizer_; }
  std::int64_t max_length() const { return options_.max_length; }
  void stop_if_asked() const {
    if (options_.stopped && options_.stopped()) throw EvaluationStopped();
  }

 private:
  std::int32_t prefix() const;
  std::vector<std::int32_t> encode(const std::string& text) const { return tokenizer_.encode(text); }
  std::vector<std::int32_t> encode(const Conversation& chat) const;
  ScoredTokens tokens_of(const TextPair& pair, std::size_t index) const;
  void add_windows(const std::string& document, std::size_t index,
                   std::vector<ScoredTokens>& windows) const;

  const Tokenizer& tokenizer_;
  TokenModelOptions options_;
};

}  // namespace fathom::eval

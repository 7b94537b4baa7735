// What evaluation asks of a model, wherever it runs.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "eval/item.h"

namespace fathom::eval {

// How likely a continuation is.
struct PairScore {
  double log_probability = 0;  // natural logarithm, of all its tokens together
  std::int64_t tokens = 0;     // of the continuation
  bool greedy = true;          // every token of it is the likeliest one
};

struct GenerateRequest {
  std::string prompt;
  std::vector<std::string> stop;
  std::int64_t max_tokens = 0;
  double temperature = 0, top_p = 1;  // 0: the likeliest tokens
  std::uint64_t sample = 0;           // of several answers to a prompt: which; seeds the draws
  Chat chat = nullptr;
};

class LanguageModel {
 public:
  virtual ~LanguageModel() = default;
  // Answers come in any order: take(index of the request, answer). Texts of any length are accepted:
  // of one that does not fit the context the beginning is left out.
  using TakeScore = std::function<void(std::size_t, const PairScore&)>;
  virtual void score(std::span<const TextPair> pairs, const TakeScore& take) = 0;
  // Texts are valid UTF-8: what a model generates besides becomes U+FFFD.
  using TakeText = std::function<void(std::size_t, const std::string&)>;
  virtual void generate(std::span<const GenerateRequest> requests, const TakeText& take) = 0;
  // Whole documents, each token predicted from as many before it as fit: windows of the context's
  // length that follow each other, each predicting its own tokens alone, the last one moved back to
  // be full.
  virtual void score_documents(std::span<const std::string> documents, const TakeScore& take) = 0;

  // What was read, for the report: tokens that requests named, and those that were computed.
  struct Work {
    std::int64_t named = 0, computed = 0;
  };
  virtual Work work() const = 0;
};

}  // namespace fathom::eval

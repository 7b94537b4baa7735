// Answers kept on disk as they come: an evaluation that was stopped goes on where it was, and one
// with more tasks asks only what is new.
#pragma once

#include <cstdint>
#include <fstream>
#include <functional>
#include <string>
#include <unordered_map>

#include "eval/language_model.h"

namespace fathom::eval {

class AnswerCache : public LanguageModel {
 public:
  // Asks `model` what the file does not hold, and appends each answer to it. `identity` stands for
  // all that answers depend on besides the request: weights, tokenizer, number type. A last line that
  // was cut short is removed. Throws an input Error for a file that holds something else, and a
  // run-time Error when an answer cannot be written.
  AnswerCache(LanguageModel& model, const std::string& path, const std::string& identity);

  void score(std::span<const TextPair> pairs, const TakeScore& take) override;
  void generate(std::span<const GenerateRequest> requests, const TakeText& take) override;
  void score_documents(std::span<const std::string> documents, const TakeScore& take) override;
  Work work() const override { return model_.work(); }

  std::int64_t reused() const { return reused_; }  // answers that came from the file

 private:
  struct Known {
    PairScore score;
    std::string text;
  };
  void load();
  std::string key_of(const std::string& kind, const std::string& a, const std::string& b = "",
                     const std::string& c = "") const;
  void keep(const std::string& key, const Known& answer);
  // Takes what is known of the requests, and asks for the rest by ask(their numbers).
  template <class KeyOf, class TakeKnown, class Ask>
  void answer(std::size_t count, KeyOf key, TakeKnown take, Ask ask);

  LanguageModel& model_;
  std::string path_, identity_;
  std::unordered_map<std::string, Known> known_;
  std::ofstream file_;
  std::int64_t reused_ = 0;
};

}  // namespace fathom::eval

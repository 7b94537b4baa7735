// Pre-tokenizers: the steps that cut a text into the pieces inside which tokens
// merge. Each step takes the pieces of the one before; a piece runs through all
// steps before the next one is cut, so nothing is stored between them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/regex.h"
#include "tokenizer/spec.h"

namespace fathom::tokenizer {

class PreTokenizer {
 public:
  // Working memory of one text at a time.
  struct Scratch {
    struct Step {
      Regex::ScratchPtr regex;
      std::vector<std::pair<TextRange, bool>> parts;
      std::string text;
    };
    std::vector<Step> steps;
  };

  // Takes the final pieces. Never called with an empty one.
  class Sink {
   public:
    virtual void piece(std::string_view text) = 0;

   protected:
    ~Sink() = default;
  };

  PreTokenizer(const std::vector<PreTokenizerStep>& steps, const std::string& where);

  Scratch make_scratch() const;
  // Cuts valid UTF-8 `text`. When ends_byte_level(), pieces are the bytes to be
  // spelled byte-level; otherwise their text is what the vocabulary spells.
  void split(std::string_view text, Scratch& scratch, Sink& sink) const;

  // Whether the last step is ByteLevel: its spelling is left to the model, which
  // then works on bytes.
  bool ends_byte_level() const { return ends_byte_level_; }

 private:
  struct Step {
    PreTokenizerStep spec;
    std::optional<Regex> regex;
    bool spell = false;  // a ByteLevel that is not the last step
  };
  void run(std::size_t step, std::string_view text, Scratch& scratch, Sink& sink) const;
  void run_digits(std::size_t step, std::string_view text, Scratch& scratch, Sink& sink) const;
  void run_parts(std::size_t step, std::string_view text, Scratch& scratch, Sink& sink) const;

  std::vector<Step> steps_;
  bool ends_byte_level_ = false;
};

}  // namespace fathom::tokenizer

// Pre-tokenizers: the steps that cut a text into pieces. Tokens merge inside a piece
// only. Each step cuts the pieces of the step before; a piece passes through all steps
// before the next one is cut, so no list of pieces is stored between steps.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/regex.h"
#include "tokenizer/spec.h"

namespace fathom::tokenizer {

class PreTokenizer {
 public:
  using Part = std::pair<TextRange, bool>;  // where, and whether it matched

  // Working memory of one text at a time.
  struct Scratch {
    struct Step {
      Regex::ScratchPtr regex;
      std::vector<Part> parts;
      std::string text;
    };
    std::vector<Step> steps;
  };

  // Receives the final pieces, none of them empty.
  class Sink {
   public:
    virtual void piece(std::string_view text) = 0;

   protected:
    ~Sink() = default;
  };

  PreTokenizer(const std::vector<PreTokenizerStep>& steps, const std::string& where);

  Scratch make_scratch() const;
  // Cuts valid UTF-8 `text`. With ends_byte_level() pieces are bytes, which the model
  // spells byte-level; otherwise they are text as the vocabulary spells it.
  // `at_start`: whether `text` is at the beginning of the whole encoded text.
  void split(std::string_view text, bool at_start, Scratch& scratch, Sink& sink) const;

  // Whether the last step is ByteLevel. Its spelling is left to the model, which then
  // works on bytes.
  bool ends_byte_level() const { return ends_byte_level_; }
  // Whether pieces are already spelled byte-level, by a ByteLevel that is not the last step.
  bool spells_bytes() const { return spells_bytes_; }

 private:
  struct Step {
    PreTokenizerStep spec;
    std::optional<Regex> regex;
    bool spell = false;  // a ByteLevel that is not the last step
    char32_t delimiter = 0;
  };
  struct Context {
    Scratch& scratch;
    Sink& sink;
  };

  void add_step(const PreTokenizerStep& spec, const std::string& where);
  // These run for every piece, so their arguments fit into registers. `at_start`: as in
  // split().
  void run(std::size_t step, std::string_view text, bool at_start, const Context& context) const;
  // Runs a step on a part of `text`.
  void run_part(std::size_t step, std::string_view text, TextRange part, bool at_start,
                const Context& context) const {
    run(step, text.substr(part.begin, part.end - part.begin), at_start && part.begin == 0, context);
  }
  // Each runs one kind of step, and the later steps on every part.
  void run_regex(std::size_t step, std::string_view text, bool at_start,
                 const Context& context) const;
  void run_byte_level(std::size_t step, std::string_view text, bool at_start,
                      const Context& context) const;
  void run_digits(std::size_t step, std::string_view text, bool at_start,
                  const Context& context) const;
  void run_metaspace(std::size_t step, std::string_view text, bool at_start,
                     const Context& context) const;
  void run_whitespace(std::size_t step, std::string_view text, bool at_start,
                      const Context& context) const;
  // Splits at the characters that `matches` picks, each of which is a match.
  template <class Matches>
  void run_characters(std::size_t step, std::string_view text, bool at_start,
                      SplitBehavior behavior, Matches&& matches, const Context& context) const;
  // Joins or drops the parts in the step's scratch as `behavior` asks and passes them on.
  void run_parts(std::size_t step, std::string_view text, bool at_start, SplitBehavior behavior,
                 const Context& context) const;

  std::vector<Step> steps_;
  bool ends_byte_level_ = false, spells_bytes_ = false;
};

// Splits text by default, with the rules of the technical report: line ends alone, CJK
// apart from other letters, words and punctuation with the space before them, single
// digits.
std::vector<PreTokenizerStep> default_pre_tokenizers();

}  // namespace fathom::tokenizer

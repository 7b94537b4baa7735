// Regular expressions over valid UTF-8, by PCRE2 with its JIT. Patterns come in
// the syntax that tokenizer.json uses (Oniguruma with Ruby's rules) and are
// translated, so that both engines match the same text.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace fathom::tokenizer {

struct TextRange {
  std::size_t begin, end;
};

class Regex {
 public:
  // Working memory of one search at a time: each thread and each pattern has its own.
  class Scratch;
  struct ScratchDeleter {
    void operator()(Scratch* scratch) const;
  };
  using ScratchPtr = std::unique_ptr<Scratch, ScratchDeleter>;

  // Throws an input Error that starts with `where` when the pattern is wrong or
  // uses what PCRE2 cannot express.
  Regex(std::string_view pattern, const std::string& where);
  // A pattern that matches `text` itself.
  static Regex literal(std::string_view text, const std::string& where);

  ScratchPtr make_scratch() const;

  // The first match that begins at `from` or later. Throws an input Error when
  // the pattern takes too many steps on this text.
  bool find(std::string_view text, std::size_t from, TextRange& match, Scratch& scratch) const;

 private:
  struct Code;
  explicit Regex(std::shared_ptr<const Code> code) : code_(std::move(code)) {}
  std::shared_ptr<const Code> code_;
};

// Iterates over the matches in `text` from left to right. Like Oniguruma's iterator it
// skips an empty match directly after another match.
class RegexMatches {
 public:
  RegexMatches(const Regex& regex, std::string_view text, Regex::Scratch& scratch)
      : regex_(regex), text_(text), scratch_(scratch) {}
  bool next(TextRange& match);

 private:
  const Regex& regex_;
  std::string_view text_;
  Regex::Scratch& scratch_;
  std::size_t from_ = 0;
  std::size_t last_end_ = static_cast<std::size_t>(-1);
};

// Translates `pattern` to PCRE2's syntax. Throws an input Error starting with
// `where` for constructs that PCRE2 lacks.
std::string to_pcre2(std::string_view pattern, const std::string& where);

}  // namespace fathom::tokenizer

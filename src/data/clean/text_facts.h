// A document cut into lines and tokens once, for all rules that measure it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace fathom::clean {

struct Token {
  std::string_view text;
  std::uint32_t characters = 0;
  bool mark = false;        // punctuation or a symbol, else a word or an ideograph
  bool has_letter = false;  // or is an ideograph
};

struct Line {
  std::string_view text;
  std::uint32_t characters = 0;
};

// What stands between blanks is cut into tokens, nearly as spaCy's English rules do. Marks before
// and behind a word are tokens, several points together; but - . / \ @ ~ | ^ cling to a word that
// they touch, as do + and = and % in part, except for the point behind a word, unless it ends an
// abbreviation ("U.S."). Inside, "'s" and its like are tokens, and these cut: hyphens between a
// word and a letter, dashes and commas between letters, + - * ^ between digits, : < > = / before a
// letter, points, and one point between a small and a capital letter. An address with "://" is one
// token, and an ideograph is: a word of Chinese is several tokens; rules for Chinese count
// characters.
struct TextFacts {
  explicit TextFacts(std::string_view text);  // valid UTF-8, which must outlive it

  std::string_view text;
  std::vector<Line> lines;       // between "\n", blank ones among them, without a last empty one
  std::vector<Line> paragraphs;  // between two or more "\n", without blank ones
  std::vector<Token> tokens;
  // [tokens + 1]: hash, a polynomial of the tokens' hashes, and characters of all tokens before.
  std::vector<std::uint64_t> hashes_before, characters_before;
  std::uint64_t characters = 0;  // of the whole text
  std::uint64_t newlines = 0;
  std::uint64_t words = 0, word_characters = 0;  // tokens that are no marks
  std::uint64_t ideographs = 0, digits = 0;      // characters
};

// Factor of the polynomial: hashes_before[i + 1] = hashes_before[i] * token_hash_base + hash.
inline constexpr std::uint64_t token_hash_base = 0x9e3779b97f4a7c15u;

// Without blanks at both ends.
std::string_view trimmed(std::string_view text);

}  // namespace fathom::clean

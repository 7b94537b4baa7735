// Patterns in Oniguruma's syntax match the same text as in Oniguruma.
#include "tokenizer/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace fathom::tokenizer {
namespace {

std::vector<std::string> matches(const std::string& pattern, const std::string& text) {
  const Regex regex(pattern, "test");
  const auto scratch = regex.make_scratch();
  RegexMatches found(regex, text, *scratch);
  std::vector<std::string> parts;
  for (TextRange match{}; found.next(match);) {
    parts.push_back(text.substr(match.begin, match.end - match.begin));
  }
  return parts;
}

using testing::ElementsAre;

TEST(Regex, SyntaxOfRubyKeepsItsMeaning) {
  EXPECT_THAT(matches(R"(\h+)", "g1fx"), ElementsAre("1f"));
  EXPECT_THAT(matches(R"(a{1,2}+)", "aaaaa"), ElementsAre("aaaaa"));
  EXPECT_THAT(matches("a{,2}b", "aaab"), ElementsAre("aab"));
  EXPECT_THAT(matches("xa{,2}b", "xb xaab xaaab"), ElementsAre("xb", "xaab"));
  EXPECT_THAT(matches(R"(\p{Word}+)", "a_1\u0301-b"), ElementsAre("a_1\u0301", "b"));
  EXPECT_THAT(matches(R"([[:alnum:]]+)", "a_1-b"), ElementsAre("a", "1", "b"));
  EXPECT_THAT(matches(R"([[:punct:]]+)", "a-$b"), ElementsAre("-$"));
  EXPECT_THAT(matches(R"([[:xdigit:]]+)", "ag1F"), ElementsAre("a", "1F"));
  EXPECT_THAT(matches("(?m).+", "a\nb"), ElementsAre("a\nb"));
  EXPECT_THAT(matches("x(?i)a|b", "xA B b xB"), ElementsAre("xA", "xB"));
  EXPECT_THAT(matches(R"([[a-c]x]+)", "abxy"), ElementsAre("abx"));
  EXPECT_THAT(matches(R"([\p{L}&&a-f]+)", "bag"), ElementsAre("ba"));
  EXPECT_THAT(matches(R"(\p{^L}+)", "a12b"), ElementsAre("12"));
  EXPECT_THAT(matches(R"([^\s\p{L}]+)", "a 12b"), ElementsAre("12"));
  EXPECT_THAT(matches(R"(\x{4e2d}+)", "a中中"), ElementsAre("中中"));
  EXPECT_THAT(matches(R"(\u4e2d)", "中"), ElementsAre("中"));
  EXPECT_THAT(matches(R"(\p{Han}+)", "中文、a"), ElementsAre("中文"));
}

TEST(Regex, CommentsEndAtTheirParenthesis) {
  EXPECT_THAT(matches("a(?#not (this)b", "ab a"), ElementsAre("ab"));
  EXPECT_THAT(matches("a(?#)b(?#)", "ab a"), ElementsAre("ab"));
  EXPECT_THAT(matches("(?#first)a+", "baa"), ElementsAre("aa"));
  EXPECT_THAT(matches("a(?#without an end", "ab"), ElementsAre("a"));
}

TEST(Regex, WhiteSpaceIsUnicodes) {
  EXPECT_THAT(matches(R"(\s+)", "a\u3000\u00a0b\u180ec\u2028\u2029d"),
              ElementsAre("\u3000\u00a0", "\u2028\u2029"));
}

TEST(Regex, EmptyMatchesDoNotRepeat) {
  EXPECT_THAT(matches("b*", "abc"), ElementsAre("", "b", ""));
}

TEST(Regex, RefusesWhatItLacksByName) {
  for (const char* pattern :
       {"(*UTF)", "(?R)", "[a", "a)", "(?x)a", "[a[^b]]", "[a&&[^b]]", R"(\p)", "\\"}) {
    try {
      Regex regex(pattern, "t.json: pre_tokenizer");
      FAIL() << pattern;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(),
                  testing::StartsWith("t.json: pre_tokenizer: the regular expression"));
    }
  }
}

TEST(Regex, EndlessBacktrackingIsAnError) {
  EXPECT_THROW(matches(R"((a+)+$)", std::string(60, 'a') + "b"), Error);
}

}  // namespace
}  // namespace fathom::tokenizer

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

std::string pattern_error(const std::string& pattern) {
  try {
    Regex regex(pattern, "t");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "no error";
}

// Each construct between two letters, which have to stay where they are.
TEST(Regex, ConstructsAreTranslatedWhereTheyStand) {
  const std::pair<const char*, const char*> cases[] = {
      {R"(\h\H)", "[0-9a-fA-F][^0-9a-fA-F]"},
      {R"(\O)", "(?s:.)"},
      {R"(\A\z\Z\G)", R"(\A\z\Z\G)"},
      {R"(\x{4e2d}\x41\012)", R"(\x{4e2d}\x41\012)"},
      {R"(\u00e9!)", R"(\x{00e9}!)"},
      {R"(\v\t\.\-\q)", R"(\x0b\t\.\-q)"},
      {R"(\中\d\D)", R"(中\p{Nd}\P{Nd})"},
      {"(?:b)(?=b)(?!b)(?>b)", "(?:b)(?=b)(?!b)(?>b)"},
      {"(?<=b)(?<!b)(?<n>b)", "(?<=b)(?<!b)(?<n>b)"},
      {"b{2}b{2,}b{,3}b{2,3}", "b{2}b{2,}b{0,3}b{2,3}"},
      {"b{2}?(bc){2,3}+b{2,3}?", "(?:b{2})?(?:(bc){2,3})+b{2,3}?"},
      {"{}{,}{a}{1,2,3}{1", R"(\{}\{,}\{a}\{1,2,3}\{1)"},
      {"b(?i)c|d", "b(?i:c|d"},
      {"(b(?im-i)c)(?m:d)", "(b(?is-i:c))(?s:d)"},
      {"[b-d]]", "[b-d]]"},
      {"[]b][^]b]", R"([\]b][^\]b])"},
      {"[b[c[d]]]", "[bcd]"},
      {"[bc&&cd&&c]", "(?:(?=[bc])(?=[cd])[c])"},
      {"[^bc&&cd]", "(?:(?!(?:(?=[bc])[cd]))(?s:.))"},
      {R"([\d-b\h-])", R"([\p{Nd}\-b0-9a-fA-F-])"},
      {R"([\b\x{41}\u0041\]])", R"([\x08\x{41}\x{0041}\]])"}};
  for (const auto& [pattern, translated] : cases) {
    const std::string tail = std::string(pattern).starts_with("b(?i)") ? "z)" : "z";
    EXPECT_EQ(to_pcre2("a" + std::string(pattern) + "z", "t"),
              "a" + std::string(translated) + tail);
  }
}

TEST(Regex, EscapesMatchBetweenOtherCharacters) {
  EXPECT_THAT(matches(R"(ab\bcd|ab\b cd)", "abcd ab cd"), ElementsAre("ab cd"));
  EXPECT_THAT(matches(R"(ab\Bcd)", "abcd ab cd"), ElementsAre("abcd"));
  EXPECT_THAT(matches(R"(x\sy)", "x y xy"), ElementsAre("x y"));
  EXPECT_THAT(matches(R"(x\Sy)", "x y xzy"), ElementsAre("xzy"));
  EXPECT_THAT(matches(R"(x\wy)", "x y x_y"), ElementsAre("x_y"));
  EXPECT_THAT(matches(R"(x\Wy)", "x y x_y"), ElementsAre("x y"));
  EXPECT_THAT(matches(R"(x\Oy)", "x\ny"), ElementsAre("x\ny"));
  EXPECT_THAT(matches(R"(xy\p{Lu}z\P{Lu}w)", "xyAzaw xyazAw"), ElementsAre("xyAzaw"));
  EXPECT_THAT(matches(R"(xy\P{^Lu}z)", "xyAz xyaz"), ElementsAre("xyAz"));
  EXPECT_THAT(matches(R"(xy[[:upper:]-z]+)", "xyA-z"), ElementsAre("xyA-z"));
}

TEST(Regex, ALiteralMatchesItselfAlone) {
  const std::string text = std::string("a.b*(c)[d]\\^$|? {9} #-\t\n") + '\0' + "é中😀";
  const Regex regex = Regex::literal(text, "test");
  const auto scratch = regex.make_scratch();
  TextRange match{};
  ASSERT_TRUE(regex.find("x" + text + "x", 0, match, *scratch));
  EXPECT_EQ(match.begin, 1u);
  EXPECT_EQ(match.end, 1 + text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((text[i] & 0x80) != 0) break;
    std::string other = text;
    other[i] = '~';
    EXPECT_FALSE(regex.find(other, 0, match, *scratch)) << i;
  }
}

TEST(Regex, GroupsThatOnigurumaLacksAreRefused) {
  for (const std::string begin : {"(?~", "(?(", "(?{", "(?C", "(?R", "(?P", "(?&", "(?|", "(?+",
                                  "(?'", "(?0", "(?5", "(?9"}) {
    EXPECT_EQ(pattern_error("ab" + begin + "x)"), "t: the regular expression 'ab" + begin +
                                                      "x)' uses '" + begin +
                                                      "', which is not supported");
  }
  EXPECT_EQ(pattern_error("a(*UTF)"),
            "t: the regular expression 'a(*UTF)' uses a verb '(*', which is not supported");
}

TEST(Regex, RefusalsNameTheConstruct) {
  const std::string groups = "groups nested too deeply";
  const auto nested = [](const std::string& open, int depth, const std::string& close) {
    std::string pattern;
    for (int i = 0; i < depth; ++i) pattern += open;
    pattern += "a";
    for (int i = 0; i < depth; ++i) pattern += close;
    return pattern;
  };
  EXPECT_EQ(pattern_error(nested("(", 40, ")")), "no error");
  EXPECT_EQ(pattern_error(nested("(?i)", 40, "")), "no error");
  EXPECT_EQ(pattern_error(nested("(?i:", 39, ")")), "no error");
  EXPECT_EQ(pattern_error(nested("[", 11, "]")), "no error");
  EXPECT_EQ(pattern_error(std::string(64 * 1024, 'a')).find("more than 64 KiB"), std::string::npos);
  const std::pair<std::string, const char*> cases[] = {
      {nested("(", 41, ")"), "groups nested too deeply"},
      {nested("(?i)", 41, ""), "groups nested too deeply"},
      {nested("(?i:", 40, ")"), "groups nested too deeply"},
      {nested("[", 12, "]"), "character classes nested too deeply"},
      {std::string(64 * 1024 + 1, 'a'), "a pattern of more than 64 KiB"},
      {"a\xff", "invalid UTF-8"},
      {"a)", "an unmatched ')'"},
      {"(?ix)a", "the extended option (?x)"},
      {"(?iz)a", "an unknown option"},
      {"(?i", "an unknown option"},
      {"a\\", "a backslash at its end"},
      {"[a\\", "a backslash at its end"},
      {R"(\pL)", "\\p without {a name}"},
      {R"(\p{})", "\\p without {a name}"},
      {R"(\p{L)", "\\p without {a name}"},
      {"\\p{" + std::string(58, 'L') + "}", "\\p without {a name}"},
      {R"(\x{41)", "\\x{ without '}'"},
      {R"(\x{0000000041})", "\\x{ without '}'"},
      {R"(\u004)", "\\u without four digits"},
      {R"(\cA)", "\\c"},
      {R"(\M-a)", "\\M"},
      {R"(\y)", "\\y"},
      {R"(\Y)", "\\Y"},
      {"[a", "a character class without its ']'"},
      {"[a&&]", "an empty character class"},
      {"[&&a]", "'&&' here"},
      {"[a[b&&c]]", "'&&' here"},
      {"[[:alpha]]", "'[:' without ':]'"},
      {"[a[^b]]", "a negated class inside a class"},
      {R"([\W])", "\\W in a class"}};
  for (const auto& [pattern, construct] : cases) {
    EXPECT_EQ(pattern_error(pattern), "t: the regular expression '" + pattern.substr(0, 100) +
                                          "' uses " + construct + ", which is not supported");
  }
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

// Blanks, underscores, hyphens and case do not count in the name of a property.
TEST(Regex, PropertiesHaveManySpellings) {
  for (const char* name : {"Ll", "Lowercase_Letter", "lowercase letter", "LOWERCASE-LETTER"}) {
    EXPECT_THAT(matches(std::string("\\p{") + name + "}+", "ABcdE"), ElementsAre("cd")) << name;
  }
}

TEST(Regex, PropertiesOfAClassMayBeNegated) {
  EXPECT_THAT(matches(R"([\p{^L}]+)", "a12b"), ElementsAre("12"));
  EXPECT_THAT(matches(R"([\P{^L}]+)", "1ab2"), ElementsAre("ab"));
  EXPECT_THAT(matches(R"([\P{L}]+)", "a12b"), ElementsAre("12"));
  EXPECT_THAT(matches(R"([\p{L}]+)", "1ab2"), ElementsAre("ab"));
  EXPECT_THAT(matches(R"([\p{^L}\p{Lu}]+)", "a1Bb"), ElementsAre("1B"));
  EXPECT_THAT(matches(R"([\P{Space}]+)", "a b"), ElementsAre("a", "b"));
}

// Each is that of PCRE2 by its long and its short name; what is unknown is a script.
TEST(Regex, PropertiesAreThoseOfPcre2) {
  const std::pair<const char*, const char*> categories[] = {{"Letter", "L"},
                                                            {"Cased_Letter", "L&"},
                                                            {"Uppercase_Letter", "Lu"},
                                                            {"Lowercase_Letter", "Ll"},
                                                            {"Titlecase_Letter", "Lt"},
                                                            {"Modifier_Letter", "Lm"},
                                                            {"Other_Letter", "Lo"},
                                                            {"Mark", "M"},
                                                            {"Nonspacing_Mark", "Mn"},
                                                            {"Spacing_Mark", "Mc"},
                                                            {"Enclosing_Mark", "Me"},
                                                            {"Number", "N"},
                                                            {"Decimal_Number", "Nd"},
                                                            {"Letter_Number", "Nl"},
                                                            {"Other_Number", "No"},
                                                            {"Punctuation", "P"},
                                                            {"Connector_Punctuation", "Pc"},
                                                            {"Dash_Punctuation", "Pd"},
                                                            {"Open_Punctuation", "Ps"},
                                                            {"Close_Punctuation", "Pe"},
                                                            {"Initial_Punctuation", "Pi"},
                                                            {"Final_Punctuation", "Pf"},
                                                            {"Other_Punctuation", "Po"},
                                                            {"Symbol", "S"},
                                                            {"Math_Symbol", "Sm"},
                                                            {"Currency_Symbol", "Sc"},
                                                            {"Modifier_Symbol", "Sk"},
                                                            {"Other_Symbol", "So"},
                                                            {"Separator", "Z"},
                                                            {"Space_Separator", "Zs"},
                                                            {"Line_Separator", "Zl"},
                                                            {"Paragraph_Separator", "Zp"},
                                                            {"Other", "C"},
                                                            {"Control", "Cc"},
                                                            {"Format", "Cf"},
                                                            {"Private_Use", "Co"},
                                                            {"Unassigned", "Cn"}};
  const auto members = [](const std::string& name) {
    const std::string text = to_pcre2("[\\p{" + name + "}]", "t");
    return text.substr(1, text.size() - 2);
  };
  for (const auto& [name, category] : categories) {
    const std::string expected = "\\p{" + std::string(category) + "}";
    EXPECT_EQ(members(name), expected);
    EXPECT_EQ(members(category), expected);
  }
  const std::pair<const char*, const char*> others[] = {
      {"Alpha", R"(\p{Alphabetic})"},
      {"Alphabetic", R"(\p{Alphabetic})"},
      {"Upper", R"(\p{Uppercase})"},
      {"Uppercase", R"(\p{Uppercase})"},
      {"Lower", R"(\p{Lowercase})"},
      {"Lowercase", R"(\p{Lowercase})"},
      {"Cntrl", R"(\p{Cc})"},
      {"Digit", R"(\p{Nd})"},
      {"Emoji", R"(\p{Emoji})"},
      {"Extended_Pictographic", R"(\p{Extended_Pictographic})"},
      {"Ideographic", R"(\p{Ideographic})"},
      {"XID_Start", R"(\p{XID_Start})"},
      {"XID_Continue", R"(\p{XID_Continue})"},
      {"Alnum", R"(\p{Alphabetic}\p{Nd})"},
      {"Punct", R"(\p{P}\p{S})"},
      {"Blank", R"(\p{Zs}\x09)"},
      {"XDigit", "0-9a-fA-F"},
      {"Han", R"(\p{sc:Han})"}};
  for (const auto& [name, expected] : others) EXPECT_EQ(members(name), expected) << name;
}

// As in Ruby: each line has its beginning and its end, and \n alone ends a line.
TEST(Regex, LinesBeginAndEndWithinTheText) {
  EXPECT_THAT(matches("^a.", "ab\nac\n\nad\rae"), ElementsAre("ab", "ac", "ad"));
  EXPECT_THAT(matches("b$", "ab\nb\nbc\rb"), ElementsAre("b", "b", "b"));
  EXPECT_THAT(matches(R"([ ]+$)", "a  \nb \n  c "), ElementsAre("  ", " ", " "));
  EXPECT_THAT(matches(R"(\s+$)", "a  \n b "), ElementsAre("  ", " "));
  EXPECT_THAT(matches(R"(\Aa|a\z)", "aa\na"), ElementsAre("a", "a"));
  EXPECT_THAT(matches(".+", "a\rb\u2028c\nd"), ElementsAre("a\rb\u2028c", "d"));
  EXPECT_THAT(matches("(?m)a.b", "a\nb"), ElementsAre("a\nb"));
  EXPECT_THAT(matches("a$\nb", "a\nb"), ElementsAre("a\nb"));
}

TEST(Regex, AMatchMayBeginBehindWhatItSaw) {
  EXPECT_THAT(matches("a\\Kb", "abab"), ElementsAre("b", "b"));
  EXPECT_THAT(matches("(?<=中)é*", "中éé中a"), ElementsAre("éé", ""));
  EXPECT_THAT(matches("", "é中"), ElementsAre("", "", ""));
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

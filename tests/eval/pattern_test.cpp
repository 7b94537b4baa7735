// Regular expressions: what they match, and where, as Python's re does.
#include "eval/pattern.h"

#include <gmock/gmock.h>

#include "io/temp_dir.h"

namespace fathom::eval {
namespace {

using test::input_error_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;

std::vector<std::string> matches_of(const std::string& expression, const std::string& text) {
  std::vector<std::string> found;
  for (const Pattern::Match& match : Pattern(expression, "t").find_all(text)) {
    EXPECT_EQ(match.groups.at(0), text.substr(match.begin, match.end - match.begin));
    found.push_back(fmt::format("{}@{}", *match.groups[0], match.begin));
  }
  return found;
}

TEST(Pattern, WholeMatchesHaveBothEnds) {
  const Pattern whole("B|B+C", "t", true), part("B|B+C", "t");
  EXPECT_TRUE(whole.find("B"));
  EXPECT_TRUE(whole.find("BBC")) << "by its second alternative";
  for (const char* text : {"AB", "BA", "ABA", "", "B\n"}) {
    EXPECT_FALSE(whole.find(text)) << text;
  }
  EXPECT_TRUE(part.find("AB"));
  EXPECT_TRUE(part.find("BA"));
}

TEST(Pattern, FindsTheFirstFromAPlaceOn) {
  const Pattern pattern("b+", "t");
  const auto first = pattern.find("abbab");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->begin, 1u);
  EXPECT_EQ(first->end, 3u);
  EXPECT_EQ(pattern.find("abbab", 2)->begin, 2u);
  EXPECT_EQ(pattern.find("abbab", 3)->begin, 4u);
  EXPECT_FALSE(pattern.find("abbab", 5));
  EXPECT_TRUE(Pattern("(?<=a)b", "t").find("ab", 1)) << "what is before the place is seen";
}

// re.findall() of Python 3.7 and later.
TEST(Pattern, EmptyMatchesGoOnByACharacter) {
  EXPECT_THAT(matches_of("b*", "abb中"), ElementsAre("@0", "bb@1", "@3", "@6"));
  EXPECT_THAT(matches_of("", "中a"), ElementsAre("@0", "@3", "@4"));
  EXPECT_THAT(matches_of("x", ""), ElementsAre());
  EXPECT_THAT(matches_of("$", "a"), ElementsAre("@1"));
}

TEST(Pattern, ReadsUnicode) {
  EXPECT_THAT(matches_of("\\w+", "é中_1 - x"), ElementsAre("é中_1@0", "x@10"));
  EXPECT_THAT(matches_of("(?i)É", "é"), ElementsAre("é@0"));
  EXPECT_THAT(matches_of("\\d", "1１"), ElementsAre("1@0", "１@1"));
  EXPECT_THAT(matches_of(".", "中\n"), ElementsAre("中@0"));
}

TEST(Pattern, GroupsThatTookNoPartHaveNoText) {
  const auto match = Pattern("(a)|(b)(c)?", "t").find("b");
  ASSERT_TRUE(match);
  ASSERT_EQ(match->groups.size(), 4u);
  EXPECT_THAT(match->groups[0], Optional(std::string("b")));
  EXPECT_FALSE(match->groups[1]);
  EXPECT_THAT(match->groups[2], Optional(std::string("b")));
  EXPECT_FALSE(match->groups[3]);
}

TEST(Pattern, GroupsHaveNames) {
  const Pattern pattern("(x)(?P<letter>[a-c])", "t");
  EXPECT_THAT(pattern.group("letter"), Optional(2u));
  EXPECT_FALSE(pattern.group("number"));
  EXPECT_EQ(*pattern.find("xb")->groups[*pattern.group("letter")], "b");
}

TEST(Pattern, ReplacesByTextAndGroups) {
  const auto replaced = [](const std::string& expression, const std::string& text,
                           const std::string& with) {
    return Pattern(expression, "t").replace(text, with);
  };
  EXPECT_EQ(replaced("a", "banana", "o"), "bonono");
  EXPECT_EQ(replaced("(a)(n)?", "banana", "<\\2\\1>"), "b<na><na><a>");
  EXPECT_EQ(replaced("a", "banana", "\\0\\0"), "baanaanaa");
  EXPECT_EQ(replaced("x*", "ab", "-"), "-a-b-");
  EXPECT_EQ(replaced("x*", "é", "-"), "-é-");
  EXPECT_EQ(replaced("x*", "中x😀", "-"), "-中--😀-");
  EXPECT_EQ(replaced("中|", "a中", "<\\0>"), "<>a<中><>");
  EXPECT_EQ(replaced("", "", "-"), "-");
  EXPECT_EQ(replaced("(a)(b)(c)(d)(e)(f)(g)(h)(i)", "abcdefghi", "\\9\\1"), "ia");
  EXPECT_EQ(replaced("a", "a", "\\/"), "\\/");
  EXPECT_EQ(replaced("a", "ab", "\\"), "\\b");
  EXPECT_EQ(replaced("a", "ab", "\\n\\:"), "\\n\\:b") << "digits alone name groups";
  EXPECT_EQ(replaced("(a)", "a", "\\12"), "a2");
  EXPECT_EQ(replaced("z", "ab", "\\9"), "ab");
  EXPECT_EQ(input_error_of([&] { replaced("(a)", "a", "\\2"); }),
            "t: the replacement '\\2' names group 2, which the expression lacks");
}

TEST(Pattern, RefusesWhatIsNoExpression) {
  EXPECT_EQ(input_error_of([] { Pattern("ab(", "task.toml: ignore"); }),
            "task.toml: ignore: 'ab(' is no regular expression: missing closing parenthesis at its "
            "byte 3");
  EXPECT_THAT(input_error_of([] { Pattern("(a+)+$", "t").find(std::string(60, 'a') + "b"); }),
              HasSubstr("t: the regular expression fails: match limit exceeded"));
}

}  // namespace
}  // namespace fathom::eval

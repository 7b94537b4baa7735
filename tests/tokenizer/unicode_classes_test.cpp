// Classes of characters, by Hugging Face's tables.
#include "tokenizer/unicode_classes.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <cctype>
#include <cstdint>
#include <string_view>
#include <utility>

namespace fathom::tokenizer {
namespace {

// Where Hugging Face's tables and ours disagree, theirs hold.
TEST(UnicodeClasses, AreThoseOfHuggingFace) {
  for (const char32_t c : U"!/:@[`{~$¿—。\u166d\U000111c9") {
    EXPECT_EQ(is_punctuation(c), c != 0)
        << std::hex << static_cast<unsigned>(c);  // 0 ends the text
  }
  for (const char32_t c : U"a0 €中\u2e43\U00011fff") {
    EXPECT_FALSE(is_punctuation(c)) << std::hex << static_cast<unsigned>(c);
  }
  EXPECT_TRUE(is_mark(0x301) && is_mark(0x903) && is_mark(0x20dd));
  EXPECT_TRUE(is_nonspacing_mark(0x301) && is_nonspacing_mark(0x1734));
  EXPECT_FALSE(is_mark('e') || is_mark(0x7fd) || is_mark(0x1abf));
  EXPECT_FALSE(is_nonspacing_mark(0x903) || is_nonspacing_mark(0x7fd));
  EXPECT_TRUE(is_control(0x7) && is_control(0x200d) && is_control(0xe000));
  EXPECT_FALSE(is_control('\n') || is_control('a') || is_control(0x8e2));
  EXPECT_TRUE(is_cjk_ideograph(0x2b920) && is_cjk_ideograph(0x2fa1f));
  EXPECT_FALSE(is_cjk_ideograph(0x2b820) || is_cjk_ideograph(0x3042));
  EXPECT_EQ(to_lower(U'A'), U'a');
  EXPECT_EQ(to_lower(0x130), U'i');
  EXPECT_EQ(to_lower(U'ß'), U'ß');
}

// Of every code point: how many are of a class, and the sum of them.
TEST(UnicodeClasses, AreOfTheSameCodePointsAsEver) {
  if (std::string_view(utf8proc_unicode_version()) != "15.0.0") {
    GTEST_SKIP() << "the tables say what differs from Unicode 15.0, and utf8proc has another version";
  }
  const auto counted = [](bool (*is)(char32_t)) {
    std::pair<std::uint64_t, std::uint64_t> count_and_sum;
    for (char32_t c = 0; c <= 0x10ffff; ++c) {
      if (c >= 0xd800 && c <= 0xdfff) continue;
      count_and_sum.first += is(c);
      count_and_sum.second += is(c) ? c : 0;
    }
    return count_and_sum;
  };
  using Pair = std::pair<std::uint64_t, std::uint64_t>;
  EXPECT_EQ(counted(is_punctuation), Pair(726, 20675981));
  EXPECT_EQ(counted(is_mark), Pair(2097, 286880651));
  EXPECT_EQ(counted(is_nonspacing_mark), Pair(1567, 262554314));
  EXPECT_EQ(counted(is_control), Pair(137680, 137913019260));
  EXPECT_EQ(counted(is_cjk_ideograph), Pair(81264, 9171601864));
}

// Of ASCII, by C's own classes.
TEST(UnicodeClasses, OfAsciiAreThoseOfC) {
  for (int c = 0; c < 0x80; ++c) {
    const auto character = static_cast<char32_t>(c);
    const bool blank = c == '\t' || c == '\n' || c == '\r';
    EXPECT_EQ(is_control(character), std::iscntrl(c) != 0 && !blank) << c;
    EXPECT_EQ(is_punctuation(character), std::ispunct(c) != 0) << c;
    EXPECT_FALSE(is_mark(character) || is_nonspacing_mark(character)) << c;
    EXPECT_FALSE(is_cjk_ideograph(character)) << c;
    EXPECT_EQ(to_lower(character), static_cast<char32_t>(std::tolower(c))) << c;
  }
}

TEST(UnicodeClasses, BlocksOfIdeographsHaveTheirEnds) {
  const std::pair<char32_t, char32_t> blocks[] = {
      {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xf900, 0xfaff},  {0x20000, 0x2a6df},
      {0x2a700, 0x2b81f}, {0x2b920, 0x2ceaf}, {0x2f800, 0x2fa1f}};
  for (const auto& [first, last] : blocks) {
    EXPECT_TRUE(is_cjk_ideograph(first) && is_cjk_ideograph(last))
        << std::hex << static_cast<unsigned>(first);
    EXPECT_FALSE(is_cjk_ideograph(first - 1) || is_cjk_ideograph(last + 1))
        << std::hex << static_cast<unsigned>(first);
  }
}

}  // namespace
}  // namespace fathom::tokenizer

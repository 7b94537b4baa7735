#include "text/utf8.h"

#include <gtest/gtest.h>

namespace fathom::utf8 {
namespace {

// The text with each replacement shown as '?', and the bytes that were replaced.
std::pair<std::string, std::size_t> repaired(std::string text) {
  const std::size_t bytes = replace_invalid(text);
  for (auto at = text.find("\xef\xbf\xbd"); at != std::string::npos;
       at = text.find("\xef\xbf\xbd")) {
    text.replace(at, 3, "?");
  }
  return {text, bytes};
}

using Pair = std::pair<std::string, std::size_t>;

// As Python's errors="replace": one for each longest beginning of a character.
TEST(Utf8, InvalidBytesAreReplacedByTheCharacterTheyBegin) {
  EXPECT_EQ(repaired("plain \xe4\xb8\xad"), Pair("plain \xe4\xb8\xad", 0));
  EXPECT_EQ(repaired("a\xff\xfe"
                     "b"),
            Pair("a??b", 2));
  EXPECT_EQ(repaired("a\xe4\xb8"
                     "b"),
            Pair("a?b", 2));
  EXPECT_EQ(repaired("\xf0\x9f\x98"), Pair("?", 3));
  EXPECT_EQ(repaired("\xf0\x9f\x98\xf0\x9f\x98\x80"), Pair("?\xf0\x9f\x98\x80", 3));
  EXPECT_EQ(repaired("\xc0\x80\xed\xa0\x80"), Pair("?????", 5));
  EXPECT_EQ(repaired("\x80"
                     "a\xe9t\xe9"),
            Pair("?a?t?", 3));
}

// The first and the last character of each range, and their neighbours outside of it.
TEST(Utf8, RangesEndWhereRfc3629SaysSo) {
  const std::string_view valid[] = {"\x01",
                                    "\x7f",
                                    "\xc2\x80",
                                    "\xdf\xbf",
                                    "\xe0\xa0\x80",
                                    "\xec\xbf\xbf",
                                    "\xed\x80\x80",
                                    "\xed\x9f\xbf",
                                    "\xee\x80\x80",
                                    "\xef\xbf\xbf",
                                    "\xe1\x80\x80",
                                    "\xed\x9f\x80",
                                    "\xf0\x90\x80\x80",
                                    "\xf3\xbf\xbf\xbf",
                                    "\xf4\x8f\xbf\xbf",
                                    "\xf1\x80\x80\x80"};
  for (const std::string_view c : valid) {
    EXPECT_EQ(valid_prefix(c), c.size()) << testing::PrintToString(c);
    EXPECT_EQ(invalid_prefix(c), 0u);
    EXPECT_EQ(length(c[0]), c.size());
    // Each beginning of it may become valid, and nothing else may follow the lead byte.
    for (std::size_t size = 1; size < c.size(); ++size) {
      const std::string_view begun = c.substr(0, size);
      EXPECT_EQ(valid_prefix(begun), 0u);
      EXPECT_EQ(incomplete_suffix("x" + std::string(begun)), size) << testing::PrintToString(c);
      for (const char other : {'x', '\x7f', '\xc0'}) {
        std::string broken(c);
        broken[size] = other;
        EXPECT_EQ(valid_prefix(broken), 0u) << testing::PrintToString(broken);
      }
    }
    EXPECT_EQ(incomplete_suffix(c), 0u);
  }
  for (const std::string_view c :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80",
        "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xff"}) {
    EXPECT_EQ(valid_prefix(c), 0u) << testing::PrintToString(c);
    EXPECT_EQ(invalid_prefix(c), c.size()) << testing::PrintToString(c);
    EXPECT_EQ(incomplete_suffix(c.substr(0, 2)), 0u) << testing::PrintToString(c);
  }
  EXPECT_EQ(invalid_prefix("\xff\x80x"), 2u);
  EXPECT_EQ(invalid_prefix(""), 0u);
}

TEST(Utf8, ValidPrefixesOfAnyLength) {
  for (std::size_t size = 0; size < 20; ++size) {
    const std::string text(size, 'a');
    EXPECT_EQ(valid_prefix(text), size);
    EXPECT_EQ(valid_prefix(text + "\xff" + text), size);
    EXPECT_EQ(valid_prefix(text + "\xc3\xa9" + text), 2 * size + 2);
  }
}

TEST(Utf8, CharactersOfEveryLengthComeBack) {
  for (const char32_t c : {U'\0', U'\x7f', U'\x80', U'\u07ff', U'\u0800', U'\u4e2d', U'\uffff',
                           U'\U00010000', U'\U0010ffff'}) {
    std::string text;
    append(text, c);
    const char* p = text.data();
    EXPECT_EQ(next(p), c);
    EXPECT_EQ(p, text.data() + text.size());
    EXPECT_EQ(text.size(), c < 0x80 ? 1u : c < 0x800 ? 2u : c < 0x10000 ? 3u : 4u);
  }
}

TEST(Utf8, KindsOfCharacters) {
  for (const char32_t c :
       U"\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2005\u200a\u2028\u2029\u202f\u205f\u3000") {
    EXPECT_EQ(is_space(c), c != 0) << std::hex << static_cast<unsigned>(c);  // 0 ends the text
  }
  for (const char32_t c : U"\x08\x0e\x1f!\u0084\u0086\u009f\u00a1\u1fff\u200b\u2027\u202a\u3001") {
    EXPECT_FALSE(is_space(c)) << std::hex << static_cast<unsigned>(c);
  }
  // A letter of each case, marks, digits, a connector, joiners, and letters in circles and squares.
  for (const char32_t c :
       U"Aaǅʰ中\u0301\u0903\u20dd5\u2160_\u200c\u200d\u24b6\u24e9\U0001f130\U0001f149"
       U"\U0001f150\U0001f169\U0001f170\U0001f189") {
    EXPECT_EQ(is_word(c), c != 0) << std::hex << static_cast<unsigned>(c);
  }
  for (const char32_t c :
       U" -€½\u200b\u200e\u24b5\u24ea\U0001f12f\U0001f14a\U0001f14f\U0001f16a"
       U"\U0001f16f\U0001f18a") {
    EXPECT_FALSE(is_word(c)) << std::hex << static_cast<unsigned>(c);
  }
  for (const char32_t c : U"0959\u0660½\u2160\u00b2") {
    EXPECT_EQ(is_number(c), c != 0) << std::hex << static_cast<unsigned>(c);
  }
  for (const char32_t c : U"/:a一€")
    EXPECT_FALSE(is_number(c)) << std::hex << static_cast<unsigned>(c);
}

}  // namespace
}  // namespace fathom::utf8

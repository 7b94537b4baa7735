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

}  // namespace
}  // namespace fathom::utf8

#include "infer/text_stream.h"

#include <gtest/gtest.h>

#include <utility>

namespace fathom::infer {
namespace {

TEST(StopMatcher, PassesTextThroughWithoutStops) {
  StopMatcher matcher({""});
  EXPECT_EQ(matcher.push("abc"), "abc");
  EXPECT_FALSE(matcher.stopped());
  EXPECT_EQ(matcher.finish(), "");
}

TEST(StopMatcher, HoldsBackWhatMayBeginAStop) {
  StopMatcher matcher({"\n\nQ:", "END"});
  EXPECT_EQ(matcher.push("one\n"), "one");
  EXPECT_EQ(matcher.push("two E"), "\ntwo ");
  EXPECT_EQ(matcher.push("N"), "");
  EXPECT_EQ(matcher.push("JOY"), "ENJOY");
  EXPECT_EQ(matcher.push("\n\nQ"), "");
  EXPECT_EQ(matcher.finish(), "\n\nQ");
  EXPECT_FALSE(matcher.stopped());
}

TEST(StopMatcher, EndsBeforeTheFirstStop) {
  StopMatcher matcher({"bc", "abcd"});
  EXPECT_EQ(matcher.push("xxa"), "xx");
  EXPECT_EQ(matcher.push("bcd"), "");
  EXPECT_TRUE(matcher.stopped());
  EXPECT_EQ(matcher.push("more"), "");
  EXPECT_EQ(matcher.finish(), "");
}

// However a text is cut into pieces, what comes out is what stands before the
// stop string.
TEST(StopMatcher, DoesNotDependOnTheCuts) {
  const std::string text = "aabaabaaabaabab stop aab";
  const std::size_t end = text.find("aaab");
  for (unsigned cuts = 0; cuts < 1u << 14; cuts += 7) {
    StopMatcher matcher({"aaab"});
    std::string out, piece;
    for (std::size_t i = 0; i < text.size(); ++i) {
      piece += text[i];
      if (i >= 14 || (cuts >> i & 1u)) out += matcher.push(std::exchange(piece, {}));
    }
    out += matcher.push(piece);
    ASSERT_TRUE(matcher.stopped());
    ASSERT_EQ(out + matcher.finish(), text.substr(0, end)) << cuts;
  }
}

}  // namespace
}  // namespace fathom::infer

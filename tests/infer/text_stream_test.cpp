#include "infer/text_stream.h"

#include <gtest/gtest.h>

#include <utility>

#include "infer/tiny_model.h"

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

// Whatever the order of the list: of "b" and "abc" in "xabc" the second begins earlier.
TEST(StopMatcher, TheEarliestInTheTextWins) {
  for (const std::vector<std::string>& stops :
       {std::vector<std::string>{"d", "b"}, {"b", "d"}, {"b", "d", "b"}}) {
    StopMatcher matcher(stops);
    EXPECT_EQ(matcher.push("abcde"), "a");
    EXPECT_TRUE(matcher.stopped());
  }
  for (const std::vector<std::string>& stops :
       {std::vector<std::string>{"abc", "b"}, {"b", "abc"}}) {
    StopMatcher matcher(stops);
    EXPECT_EQ(matcher.push("xabc"), "x");
  }
}

TEST(TextStream, GivesWholeCharactersAndHeldBackTextBeforeBrokenBytes) {
  const Tokenizer tokenizer = Tokenizer::from_json(test::byte_tokenizer());
  TextStream stream(tokenizer, {"ab-stop"});
  const std::string text = "\xe5\x8c\x97 ab\xe4";  // a character, a stop's beginning, a broken one
  std::string out;
  std::vector<std::string> pieces;
  for (const char c : text) pieces.push_back(stream.push(static_cast<unsigned char>(c)));
  EXPECT_EQ(pieces[0] + pieces[1], "");
  EXPECT_EQ(pieces[2], "\xe5\x8c\x97");
  EXPECT_EQ(pieces[4] + pieces[5] + pieces[6], "");
  EXPECT_EQ(stream.finish(), "ab\xe4");
  EXPECT_FALSE(stream.stopped());
}

// As Llama 2's: a token begins with its space, and a text has none at its beginning.
TEST(TextStream, KeepsASpaceBetweenThePromptAndItsContinuation) {
  const Tokenizer tokenizer = Tokenizer::from_json(
      R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,)"
      R"("pre_tokenizer":null,"post_processor":null,"decoder":{"type":"Sequence","decoders":[)"
      R"({"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"Fuse"},)"
      R"({"type":"Strip","content":" ","start":1,"stop":0}]},"model":{"type":"BPE","dropout":null,)"
      R"("unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,)"
      R"("fuse_unk":false,"byte_fallback":false,"vocab":{"▁the":0,"▁dog":1,"s":2},"merges":[]}})");
  // Statements of their own: the operands of + may be evaluated in either order.
  const auto text_of = [](TextStream& stream) {
    std::string text = stream.push(1);
    text += stream.push(2);
    return text += stream.finish();
  };
  TextStream answer(tokenizer, {});
  EXPECT_EQ(text_of(answer), "dogs");
  TextStream continuation(tokenizer, {});
  continuation.follow(std::vector<std::int32_t>{0});
  EXPECT_EQ(text_of(continuation), " dogs");
}

// The first byte of a character at the prompt's end is not shown again.
TEST(TextStream, ShowsNothingOfThePrompt) {
  const Tokenizer tokenizer = Tokenizer::from_json(test::byte_tokenizer());
  TextStream stream(tokenizer, {});
  stream.follow(std::vector<std::int32_t>{'a', 0xe5});
  EXPECT_EQ(stream.push(0x8c), "");
  EXPECT_EQ(stream.push(0x97), "\x8c\x97");
  EXPECT_EQ(stream.push('b'), "b");
}

TEST(TextStream, FindsAStopThatTheLastBytesComplete) {
  const Tokenizer tokenizer = Tokenizer::from_json(test::byte_tokenizer());
  TextStream stream(tokenizer, {"\xe4"});
  EXPECT_EQ(stream.push('a'), "a");
  EXPECT_EQ(stream.push(0xe4), "");
  EXPECT_EQ(stream.finish(), "");
  EXPECT_TRUE(stream.stopped());
}

}  // namespace
}  // namespace fathom::infer

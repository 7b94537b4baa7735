// Ids of tokens by their spelling.
#include "tokenizer/token_index.h"

#include <gtest/gtest.h>

namespace fathom::tokenizer {
namespace {

TEST(TokenIndex, FindsEveryTokenAndNoOther) {
  std::vector<std::string> tokens;
  for (int i = 0; i < 3000; ++i) tokens.push_back(i % 7 == 3 ? "" : std::to_string(i * i));
  const TokenIndex index(tokens);
  for (int i = 0; i < 3000; ++i) {
    const auto found = index.find(std::to_string(i * i));
    if (i % 7 == 3) {
      EXPECT_FALSE(found) << i;
    } else {
      EXPECT_EQ(found, i);
    }
  }
  for (const char* other : {"", "2", "-1", "16 ", "8994002"}) EXPECT_FALSE(index.find(other));
  EXPECT_FALSE(index.alike());
}

TEST(TokenIndex, FindsTheFirstOfTwoAlike) {
  const std::vector<std::string> tokens{"a", "", "b", "", "b", "a"};
  const TokenIndex index(tokens);
  EXPECT_EQ(index.find("a"), 0);
  EXPECT_EQ(index.find("b"), 2);
  ASSERT_TRUE(index.alike());
  EXPECT_EQ(index.alike()->first, 2);
  EXPECT_EQ(index.alike()->second, 4);
}

TEST(TokenIndex, MayBeEmpty) {
  EXPECT_FALSE(TokenIndex().find("a"));
  EXPECT_FALSE(TokenIndex(std::span<const std::string>()).find("a"));
}

}  // namespace
}  // namespace fathom::tokenizer

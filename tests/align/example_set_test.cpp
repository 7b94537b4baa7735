// The store of tokenised examples: what is added comes back, and hashes tell every difference.
#include "align/example_set.h"

#include <gtest/gtest.h>

#include <vector>

namespace fathom {
namespace {

using Tokens = std::vector<std::int32_t>;
using Marks = std::vector<std::uint8_t>;

std::uint64_t hash_of(const std::vector<std::pair<Tokens, Marks>>& examples) {
  ExampleSet set;
  for (const auto& [tokens, marks] : examples) set.add({tokens, marks});
  return set.hash();
}

TEST(ExampleSet, GivesBackWhatWasAdded) {
  ExampleSet set;
  set.add({Tokens{5, 6, 7}, Marks{1, 0, 1}});
  set.add({Tokens{}, Marks{}});
  set.add({Tokens{8, 9}, Marks{0, 1}});
  ASSERT_EQ(set.size(), 3);
  EXPECT_EQ(set.num_tokens(), 5);
  EXPECT_EQ(set.num_targets(), 2) << "a first token is no target";
  const Example last = set[2];
  EXPECT_EQ(Tokens(last.tokens.begin(), last.tokens.end()), (Tokens{8, 9}));
  EXPECT_EQ(Marks(last.learned.begin(), last.learned.end()), (Marks{0, 1}));
  EXPECT_TRUE(set[1].tokens.empty());
}

TEST(ExampleSet, HashesTellTokensMarksAndBorders) {
  const std::uint64_t hash = hash_of({{{1, 2}, {0, 1}}, {{3}, {0}}});
  EXPECT_EQ(hash, hash_of({{{1, 2}, {0, 1}}, {{3}, {0}}}));
  EXPECT_NE(hash, hash_of({{{1, 4}, {0, 1}}, {{3}, {0}}}));
  EXPECT_NE(hash, hash_of({{{1, 2}, {1, 1}}, {{3}, {0}}}));
  EXPECT_NE(hash, hash_of({{{1}, {0}}, {{2, 3}, {1, 0}}}));
}

TEST(PreferenceSet, GivesBackPartsAndTellsThemApart) {
  PreferenceSet set;
  set.add({Tokens{1, 2}, Tokens{3}, Tokens{4, 5, 6}});
  set.add({Tokens{1}, Tokens{2, 3}, Tokens{4, 5, 6}});
  set.add({Tokens{1, 2}, Tokens{3}, Tokens{4, 5, 6}});
  ASSERT_EQ(set.size(), 3);
  const PreferencePair pair = set[1];
  EXPECT_EQ(Tokens(pair.prompt.begin(), pair.prompt.end()), (Tokens{1}));
  EXPECT_EQ(Tokens(pair.chosen.begin(), pair.chosen.end()), (Tokens{2, 3}));
  EXPECT_EQ(Tokens(pair.rejected.begin(), pair.rejected.end()), (Tokens{4, 5, 6}));
  EXPECT_EQ(set.hash_of(0), set.hash_of(2));
  EXPECT_NE(set.hash_of(0), set.hash_of(1));
  PreferenceSet changed;  // in one token of one part
  changed.add({Tokens{1, 9}, Tokens{3}, Tokens{4, 5, 6}});
  changed.add({Tokens{1, 2}, Tokens{9}, Tokens{4, 5, 6}});
  changed.add({Tokens{1, 2}, Tokens{3}, Tokens{4, 5, 9}});
  for (std::int64_t i = 0; i < 3; ++i) EXPECT_NE(changed.hash_of(i), set.hash_of(0)) << i;
  PreferenceSet other;
  for (const std::int64_t i : {0, 2, 1}) other.add(set[i]);
  EXPECT_NE(other.hash(), set.hash()) << "the order is part of it";
}

}  // namespace
}  // namespace fathom

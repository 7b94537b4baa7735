#include "infer/block_manager.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "core/error.h"

namespace fathom::infer {
namespace {

TEST(BlockManager, GrowsByWholePages) {
  BlockManager blocks(4, 16);
  BlockTable table;
  EXPECT_TRUE(blocks.grow(table, 1));
  EXPECT_EQ(table.size(), 1u);
  EXPECT_TRUE(blocks.grow(table, 16));
  EXPECT_EQ(table.size(), 1u);
  EXPECT_TRUE(blocks.grow(table, 17));
  EXPECT_EQ(table.size(), 2u);
  EXPECT_EQ(blocks.free_pages(), 2);
}

TEST(BlockManager, ChangesNothingWhenPagesRunOut) {
  BlockManager blocks(2, 4);
  BlockTable table;
  EXPECT_FALSE(blocks.grow(table, 9));
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(blocks.free_pages(), 2);
  EXPECT_TRUE(blocks.grow(table, 8));
}

TEST(BlockManager, RefusesToFreeAPageTwice) {
  BlockManager blocks(2, 4);
  BlockTable table;
  blocks.grow(table, 8);
  BlockTable copy = table;
  blocks.release(table);
  EXPECT_THAT([&] { blocks.release(copy); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("is not in use")));
}

TEST(BlockManager, RefusesToFreeAPageThatWasNeverGiven) {
  BlockManager blocks(2, 4);
  for (const std::int32_t page : {0, 1, 2, -1}) {
    BlockTable strange{page};
    EXPECT_THAT([&] { blocks.release(strange); },
                testing::ThrowsMessage<Error>(testing::HasSubstr("is not in use")))
        << page;
  }
  EXPECT_EQ(blocks.free_pages(), 2);
}

TEST(BlockManager, NeedsPagesOfTokens) {
  for (const auto& [pages, page_size] : {std::pair(0, 4), {4, 0}, {4, -1}}) {
    EXPECT_THROW(BlockManager(pages, page_size), Error) << pages << " of " << page_size;
  }
}

// Random growth and release: no page in two tables, none lost.
TEST(BlockManager, NeverSharesOrLosesAPage) {
  std::mt19937 random(7);
  BlockManager blocks(37, 3);
  std::vector<BlockTable> tables(9);
  for (int step = 0; step < 5000; ++step) {
    BlockTable& table = tables[random() % tables.size()];
    if (random() % 4 == 0) {
      blocks.release(table);
    } else {
      blocks.grow(table, static_cast<std::int64_t>(table.size() * 3 + random() % 20));
    }
    std::set<std::int32_t> used;
    std::size_t count = 0;
    for (const BlockTable& t : tables) {
      used.insert(t.begin(), t.end());
      count += t.size();
    }
    ASSERT_EQ(used.size(), count);
    ASSERT_EQ(static_cast<std::int64_t>(count) + blocks.free_pages(), blocks.total_pages());
    ASSERT_TRUE(used.empty() || (*used.begin() >= 0 && *used.rbegin() < 37));
  }
}

using Tokens = std::vector<std::int32_t>;

Tokens counting(std::int32_t first, std::int32_t count) {
  Tokens tokens;
  for (std::int32_t i = 0; i < count; ++i) tokens.push_back(first + i);
  return tokens;
}

// Takes pages for all tokens, as if they had been read, and makes them known.
BlockTable read(BlockManager& blocks, const Tokens& tokens) {
  BlockTable table;
  blocks.take_known(table, tokens);
  EXPECT_TRUE(blocks.grow(table, std::ssize(tokens)));
  blocks.make_known(table, tokens, std::ssize(tokens));
  return table;
}

TEST(BlockManager, KnowsFullPagesByAllTokensBeforeTheirEnd) {
  BlockManager blocks(20, 4);
  read(blocks, counting(0, 11));
  BlockTable table;
  EXPECT_EQ(blocks.take_known(table, counting(0, 11)), 8);
  blocks.release(table);
  Tokens other = counting(0, 11);
  other[5] = 99;
  EXPECT_EQ(blocks.take_known(table, other), 4);
  blocks.release(table);
  other[0] = 98;  // the second page has the same tokens, behind others
  EXPECT_EQ(blocks.take_known(table, other), 0);
  EXPECT_EQ(blocks.take_known(table, counting(0, 8)), 4);  // never the last token
}

TEST(BlockManager, ForgetsThePageThatWasReleasedFirst) {
  BlockManager blocks(6, 4);
  BlockTable one = read(blocks, counting(0, 12)), two = read(blocks, counting(100, 12));
  blocks.release(one);
  blocks.release(two);
  EXPECT_EQ(blocks.free_pages(), 6);
  BlockTable big;
  ASSERT_TRUE(blocks.grow(big, 8));  // two pages: the last ones of the first sequence
  BlockTable table;
  EXPECT_EQ(blocks.take_known(table, counting(0, 13)), 4);
  blocks.release(table);
  EXPECT_EQ(blocks.take_known(table, counting(100, 13)), 12);
  EXPECT_EQ(blocks.free_pages(), 1);
}

// Two sequences that read the same tokens side by side: one page is known, the other just freed.
TEST(BlockManager, KeepsOnePageOfAContent) {
  BlockManager blocks(4, 4);
  BlockTable one, two;
  blocks.grow(one, 4);
  blocks.grow(two, 4);
  const Tokens tokens = counting(0, 8);
  blocks.make_known(one, tokens, 4);
  blocks.make_known(two, tokens, 4);
  blocks.grow(two, 8);
  blocks.make_known(two, tokens, 8);  // behind a page that another stands for
  const std::int32_t first = one[0], second = two[1];
  blocks.release(two);
  blocks.release(one);
  BlockTable table;
  EXPECT_EQ(blocks.take_known(table, counting(0, 9)), 8);
  EXPECT_THAT(table, testing::ElementsAre(first, second));
}

TEST(BlockManager, ForgetsContentsAndNoPages) {
  BlockManager blocks(6, 4);
  BlockTable held = read(blocks, counting(0, 8)), given = read(blocks, counting(100, 8));
  blocks.release(given);
  EXPECT_EQ(blocks.free_pages(), 4);
  blocks.forget_contents();
  EXPECT_EQ(blocks.free_pages(), 4);
  BlockTable table;
  EXPECT_EQ(blocks.take_known(table, counting(0, 9)), 0);
  EXPECT_EQ(blocks.take_known(table, counting(100, 9)), 0);
  blocks.release(held);
  EXPECT_EQ(blocks.free_pages(), 6);
  EXPECT_EQ(blocks.take_known(table, counting(0, 9)), 0) << "also of pages released since";
  EXPECT_TRUE(blocks.grow(table, 24));
  std::ranges::sort(table);
  EXPECT_THAT(table, testing::ElementsAre(0, 1, 2, 3, 4, 5));
}

// A page is known once all of it is read, and taken where a token is left behind it.
TEST(BlockManager, KnowsAPageFromItsLastTokenOn) {
  for (const std::int64_t count : {3, 4, 7, 8}) {
    BlockManager blocks(6, 4);
    BlockTable table, other;
    blocks.grow(table, 8);
    blocks.make_known(table, counting(0, 8), count);
    EXPECT_EQ(blocks.take_known(other, counting(0, 20)), count / 4 * 4) << count;
  }
  BlockManager blocks(6, 4);
  read(blocks, counting(0, 8));
  for (const std::int32_t length : {1, 4, 5, 8, 9, 12}) {
    BlockTable table;
    EXPECT_EQ(blocks.take_known(table, counting(0, length)), length <= 4   ? 0
                                                             : length <= 8 ? 4
                                                                           : 8)
        << length;
    blocks.release(table);
  }
}

// Random texts of few tokens: whatever is taken as known was read with the same tokens before, and
// pages are neither lost nor overwritten while somebody holds them.
TEST(BlockManager, NeverTakesAPageForAnother) {
  std::mt19937 random(3);
  BlockManager blocks(23, 2);
  std::map<std::int32_t, Tokens> contents;  // by page: all tokens up to its end
  std::vector<std::pair<BlockTable, Tokens>> held;
  std::int64_t shared = 0;
  for (int step = 0; step < 4000; ++step) {
    if (held.size() > 4 || (random() % 3 == 0 && !held.empty())) {
      const std::size_t i = random() % held.size();
      blocks.release(held[i].first);
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(i));
    }
    Tokens tokens;
    for (std::uint32_t i = random() % 9 + 1; i > 0; --i) {
      tokens.push_back(static_cast<std::int32_t>(random() % 2));
    }
    BlockTable table;
    const std::int64_t known = blocks.take_known(table, tokens);
    ASSERT_LT(known, std::ssize(tokens));
    shared += known;
    for (std::size_t i = 0; i < table.size(); ++i) {
      const auto end = tokens.begin() + static_cast<std::ptrdiff_t>(2 * i + 2);
      ASSERT_EQ(contents[table[i]], Tokens(tokens.begin(), end));
    }
    const std::size_t before = table.size();
    if (!blocks.grow(table, std::ssize(tokens))) {
      blocks.release(table);
      continue;
    }
    for (std::size_t i = before; i < table.size(); ++i) {
      for (const auto& [other, text] : held) {
        ASSERT_EQ(std::ranges::count(other, table[i]), 0) << "page " << table[i] << " is held";
      }
      const auto size = std::min<std::size_t>(2 * i + 2, tokens.size());
      contents[table[i]].assign(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(size));
    }
    blocks.make_known(table, tokens, std::ssize(tokens));
    held.emplace_back(std::move(table), std::move(tokens));
  }
  EXPECT_GT(shared, 1000);
  for (auto& [table, tokens] : held) blocks.release(table);
  EXPECT_EQ(blocks.free_pages(), 23);
}

}  // namespace
}  // namespace fathom::infer

#include "infer/block_manager.h"

#include <gmock/gmock.h>

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

}  // namespace
}  // namespace fathom::infer

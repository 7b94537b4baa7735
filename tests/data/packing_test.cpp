// Best-fit packing: a worked example, and properties over random lengths.
#include "data/packing.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "core/error.h"

namespace fathom {
namespace {

using Rows = std::vector<std::vector<std::int64_t>>;

// The example of TRL's documentation: [5, 1], [4, 2], [4, 2], [3].
TEST(Packing, FillsTheFullestRowThatHasRoom) {
  const std::vector<std::int64_t> lengths = {5, 2, 3, 1, 4, 4, 2};
  const Rows rows = pack_best_fit(lengths, 6);
  EXPECT_EQ(rows, (Rows{{0, 3}, {4, 6}, {5, 1}, {2}}));
}

TEST(Packing, OpensARowOnlyWhereNoneHasRoom) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 50; ++round) {
    const std::int64_t capacity = std::uniform_int_distribution<std::int64_t>(1, 40)(random);
    std::vector<std::int64_t> lengths(std::uniform_int_distribution<std::size_t>(0, 60)(random));
    for (auto& n : lengths) n = std::uniform_int_distribution<std::int64_t>(1, capacity)(random);
    const Rows rows = pack_best_fit(lengths, capacity);
    std::vector<std::int64_t> seen(lengths.size(), 0), filled;
    for (const auto& row : rows) {
      ASSERT_FALSE(row.empty());
      filled.push_back(0);
      for (const std::int64_t text : row) {
        ++seen.at(static_cast<std::size_t>(text));
        filled.back() += lengths[static_cast<std::size_t>(text)];
      }
      EXPECT_LE(filled.back(), capacity);
    }
    EXPECT_EQ(seen, std::vector<std::int64_t>(lengths.size(), 1)) << "each text once";
    // The first text of a row was too long for all rows before.
    for (std::size_t later = 1; later < rows.size(); ++later) {
      const std::int64_t first = lengths[static_cast<std::size_t>(rows[later].front())];
      for (std::size_t row = 0; row < later; ++row) {
        std::int64_t longer = 0;
        for (const std::int64_t text : rows[row]) {
          const std::int64_t length = lengths[static_cast<std::size_t>(text)];
          if (length >= first) longer += length;
        }
        EXPECT_GT(longer + first, capacity);
      }
    }
  }
}

TEST(Packing, RefusesWhatFitsNoRow) {
  for (const std::int64_t length : {0, 7}) {
    const std::vector<std::int64_t> lengths = {3, length};
    EXPECT_THROW(pack_best_fit(lengths, 6), Error);
  }
  EXPECT_EQ(pack_best_fit(std::vector<std::int64_t>{6}, 6), (Rows{{0}}));
}

}  // namespace
}  // namespace fathom

// Which rows and columns of a parameter a rank of a tensor-parallel group holds, by hand.
#include "model/shard.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

ParameterSpec spec_of(Shape shape, int split_dim,
                      std::vector<ParameterSpec::HuggingFacePart> parts) {
  ParameterSpec spec;
  spec.shape = shape;
  spec.split_dim = split_dim;
  spec.parts = std::move(parts);
  return spec;
}

void expect_box(const ShardBox& box, std::vector<std::int64_t> offset, Shape shape,
                std::int64_t local, int replicas = 1, bool primary = true) {
  EXPECT_EQ(box.offset, offset);
  EXPECT_EQ(box.shape, shape);
  EXPECT_EQ(box.local, local);
  EXPECT_EQ(box.replicas, replicas);
  EXPECT_EQ(box.primary, primary);
}

// Four query heads of 2 rows, two key and two value heads, on four ranks: each rank has a query
// head of its own, and shares its key head with a neighbour.
TEST(Shard, FewerKeyHeadsThanRanksAreHeldTwice) {
  const ParameterSpec qkv = spec_of({16, 3}, 0, {{"q", 8, 4}, {"k", 4, 2}, {"v", 4, 2}});
  for (int rank = 0; rank < 4; ++rank) {
    SCOPED_TRACE(rank);
    const auto boxes = shard_boxes(qkv, {rank, 4});
    ASSERT_EQ(boxes.size(), 3u);
    const std::int64_t head = rank / 2;
    const bool primary = rank % 2 == 0;
    expect_box(boxes[0], {2 * rank, 0}, {2, 3}, 0);
    expect_box(boxes[1], {8 + 2 * head, 0}, {2, 3}, 2, 2, primary);
    expect_box(boxes[2], {12 + 2 * head, 0}, {2, 3}, 4, 2, primary);
    EXPECT_EQ(shard_shape(qkv, {rank, 4}), (Shape{6, 3}));
  }
}

// Where rows do not divide, the last ranks have fewer, or none.
TEST(Shard, RowsThatDoNotDivide) {
  const ParameterSpec ten = spec_of({10, 3}, 0, {{"embedding", 10}});
  const std::int64_t first_of_ten[] = {0, 3, 6, 9}, rows_of_ten[] = {3, 3, 3, 1};
  const ParameterSpec five = spec_of({5, 3}, 0, {{"embedding", 5}});
  const std::int64_t first_of_five[] = {0, 2, 4, 5}, rows_of_five[] = {2, 2, 1, 0};
  for (int rank = 0; rank < 4; ++rank) {
    SCOPED_TRACE(rank);
    const auto at = static_cast<std::size_t>(rank);
    expect_box(shard_boxes(ten, {rank, 4}).at(0), {first_of_ten[at], 0}, {rows_of_ten[at], 3}, 0);
    expect_box(shard_boxes(five, {rank, 4}).at(0), {first_of_five[at], 0}, {rows_of_five[at], 3},
               0);
  }
}

TEST(Shard, ColumnsAndWholeParameters) {
  const ParameterSpec columns = spec_of({3, 8}, 1, {{"down", 3}});
  expect_box(shard_boxes(columns, {1, 4}).at(0), {0, 2}, {3, 2}, 0);
  EXPECT_EQ(shard_shape(columns, {1, 4}), (Shape{3, 2}));
  const ParameterSpec norm = spec_of({8}, -1, {{"norm", 8}});
  expect_box(shard_boxes(norm, {0, 4}).at(0), {0}, {8}, 0, 4, true);
  expect_box(shard_boxes(norm, {3, 4}).at(0), {0}, {8}, 0, 4, false);
}

}  // namespace
}  // namespace fathom

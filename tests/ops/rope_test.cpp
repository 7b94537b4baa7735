#include "ops/rope.h"

#include "ops/attention.h"
#include "ops/ops_test.h"

namespace fathom::ops {
namespace {

using namespace test;

class RopeTest : public OpsTest {
 protected:
  DeviceTensor table_for(Size positions, Size head_dim) {
    return {context_,
            DType::f32,
            {std::int64_t(positions), std::int64_t(head_dim)},
            rope_table(positions, head_dim)};
  }
};
INSTANTIATE_ON_DEVICES(RopeTest);

struct RopeSizes {
  Size n, heads, head_dim;
};

// On a GPU a block takes as many rows as their width allows.
std::vector<RopeSizes> rope_sizes() {
  std::vector<RopeSizes> sizes{{1, 1, 2},   {5, 3, 6},    {7, 2, 64},
                               {70, 5, 10}, {9, 48, 128}, {3, 2, 600}};
  for (const Size head_dim : {32, 48, 64, 128}) {
    for (Size heads = 1; heads <= 7; ++heads) sizes.push_back({44 + heads, heads, head_dim});
  }
  return sizes;
}

TEST_P(RopeTest, RotatesThePairsOfEveryHeadBothWays) {
  for (const auto& [n, heads, head_dim] : rope_sizes()) {
    const Values x = values(n * heads * head_dim, 1), table = rope_table(50, head_dim);
    Values positions(n);
    for (Size i = 0; i < n; ++i) positions[i] = static_cast<double>((7 * i + 3) % 50);
    const DeviceTensor t = table_for(50, head_dim);
    const DeviceTensor p(context_, DType::i32, {std::int64_t(n)}, positions);
    for (const Layout& layout : layouts()) {
      for (const auto direction : {RopeDirection::forward, RopeDirection::backward}) {
        const DeviceTensor y(context_, dtype(), {std::int64_t(n), std::int64_t(heads * head_dim)},
                             x, layout);
        rope(context_, y, p, t, direction);
        const double turn = direction == RopeDirection::forward ? 1 : -1;
        EXPECT_LT(relative_error(y.download(),
                                 reference_rope(n, heads, head_dim, x, positions, table, turn)),
                  tolerance());
      }
    }
  }
}

TEST_P(RopeTest, LeavesTheOtherColumnsOfAFusedProductAlone) {
  const Values x = values(4 * 12, 1), table = rope_table(8, 4), positions{5, 0, 2, 7};
  const DeviceTensor fused(context_, dtype(), {4, 12}, x);
  rope(context_, fused.tensor().columns(0, 8), DeviceTensor(context_, DType::i32, {4}, positions),
       table_for(8, 4), RopeDirection::forward);
  const Values y = fused.download();
  for (Size r = 0; r < 4; ++r) {
    for (Size c = 8; c < 12; ++c) EXPECT_EQ(y[r * 12 + c], x[r * 12 + c]);
    EXPECT_EQ(y[12 + r], x[12 + r]);  // position 0 does not turn
  }
}

// Of query heads and key heads of a width, in any layout; rows of slot -1 are stored nowhere.
TEST_P(RopeTest, ToTheCacheIsRopeAndStore) {
  struct Case {
    std::int64_t heads, kv_heads, head_dim;
  };
  const std::int64_t n = 5, pages = 2, page = 4;
  const DeviceTensor positions(context_, DType::i32, {n}, Values{3, 0, 49, 7, 7});
  const DeviceTensor slots(context_, DType::i32, {n}, Values{6, 0, -1, 7, 1});
  for (const auto& [heads, kv_heads, head_dim] :
       {Case{2, 2, 64}, {6, 2, 128}, {3, 1, 6}, {1, 1, 2}, {40, 8, 16}}) {
    const std::int64_t kv = kv_heads * head_dim, queries = heads * head_dim;
    const DeviceTensor table = table_for(50, Size(head_dim));
    const Values x = values(Size(n * (queries + kv)), 1), v = values(Size(n * kv), 2);
    for (const Layout& layout : layouts()) {
      struct Stored {
        DeviceTensor x, v, k_cache, v_cache;
      };
      const auto stored = [&] {
        return Stored{{context_, dtype(), {n, queries + kv}, x, layout},
                      {context_, dtype(), {n, kv}, v, layout},
                      {context_, dtype(), {pages * page, kv}, layout},
                      {context_, dtype(), {pages * page, kv}, layout}};
      };
      const auto paged = [&](const DeviceTensor& cache) {
        Tensor t = cache.tensor();
        t.shape = {pages, page, kv};
        return t;
      };
      const Stored apart = stored(), together = stored();
      rope(context_, apart.x, positions, table, RopeDirection::forward);
      store_kv(context_, apart.x.tensor().columns(queries, kv), apart.v, slots,
               paged(apart.k_cache), paged(apart.v_cache));
      rope_to_cache(context_, together.x, together.v, positions, table, slots,
                    paged(together.k_cache), paged(together.v_cache));
      SCOPED_TRACE(fmt::format("{} over {} heads of {}", heads, kv_heads, head_dim));
      // Rows that nobody stored are NaN in both.
      const auto expect_same = [](const Values& a, const Values& b) {
        ASSERT_EQ(a.size(), b.size());
        for (std::size_t i = 0; i < a.size(); ++i) {
          EXPECT_TRUE(a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) << i;
        }
      };
      expect_same(together.k_cache.download(), apart.k_cache.download());
      expect_same(together.v_cache.download(), apart.v_cache.download());
      const Values rotated = apart.x.download(), in_place = together.x.download();
      for (std::int64_t i = 0; i < n * (queries + kv); ++i) {
        if (i % (queries + kv) >= queries) continue;
        EXPECT_EQ(in_place[Size(i)], rotated[Size(i)]) << i;
      }
      expect_same(together.v.download(), v);
    }
  }
}

TEST_P(RopeTest, RefusesAPositionOutsideTheTable) {
  if (device().type != DeviceType::cpu) GTEST_SKIP() << "positions are checked on the CPU only";
  const DeviceTensor x(context_, dtype(), {2, 4}, Values(8, 1.0));
  for (const double bad : {8.0, -1.0}) {
    const DeviceTensor positions(context_, DType::i32, {2}, Values{3, bad});
    EXPECT_EQ(
        message_of([&] { rope(context_, x, positions, table_for(8, 4), RopeDirection::forward); }),
        fmt::format("rope: positions[1] is {}, the table has 8 positions", int(bad)));
    EXPECT_EQ(x.download(), Values(8, 1.0));
  }
}

}  // namespace
}  // namespace fathom::ops

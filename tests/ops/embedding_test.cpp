#include "ops/embedding.h"

#include <cmath>

#include "core/parallel.h"
#include "ops/ops_test.h"

namespace fathom::ops {
namespace {

using namespace test;

class EmbeddingTest : public OpsTest {};
INSTANTIATE_ON_DEVICES(EmbeddingTest);

// Ids of a table of 11 rows that starts at id 20: all of its rows, and some outside it.
Values some_ids(Size n) {
  Values ids(n);
  for (Size i = 0; i < n; ++i) ids[i] = static_cast<double>(18 + (i * 7 + 3) % 15);
  return ids;
}
constexpr Size table_rows = 11, first_id = 20;
bool inside(double id) {
  return id >= first_id && id < first_id + table_rows;
}
constexpr std::pair<Size, Size> embedding_sizes[] = {{1, 1}, {9, 7}, {130, 64}, {40, 301}};

TEST_P(EmbeddingTest, LooksUpRowsAndGivesZeroOutside) {
  for (const auto& [n, d] : embedding_sizes) {
    const Values ids = some_ids(n), table = values(table_rows * d, 1);
    Values expected(n * d);
    for (Size i = 0; i < n * d; ++i) {
      const double id = ids[i / d];
      if (inside(id)) expected[i] = table[(static_cast<Size>(id) - first_id) * d + i % d];
    }
    for (const Layout& layout : layouts()) {
      const DeviceTensor tids(context_, DType::i32, {std::int64_t(n)}, ids);
      const DeviceTensor ttable(context_, dtype(), matrix(table_rows, d), table, layout);
      const DeviceTensor y(context_, dtype(), matrix(n, d), layout);
      embedding(context_, tids, ttable, first_id, y);
      EXPECT_EQ(y.download(), expected);
    }
  }
}

TEST_P(EmbeddingTest, BackwardAddsInTheOrderOfTheTokens) {
  for (const auto& [n, d] : embedding_sizes) {
    const Values ids = some_ids(n), dy = values(n * d, 1);
    const Values before = random_values(table_rows * d, 2);
    std::vector<float> expected(before.begin(), before.end());
    for (Size i = 0; i < n * d; ++i) {
      const double id = ids[i / d];
      if (inside(id)) {
        expected[(static_cast<Size>(id) - first_id) * d + i % d] += static_cast<float>(dy[i]);
      }
    }
    for (const Layout& layout : layouts()) {
      const DeviceTensor tids(context_, DType::i32, {std::int64_t(n)}, ids);
      const DeviceTensor tdy(context_, dtype(), matrix(n, d), dy, layout);
      const DeviceTensor dtable(context_, DType::f32, matrix(table_rows, d), before, layout);
      embedding_backward(context_, tids, tdy, first_id, dtable);
      const Values result = dtable.download();
      if (device().type == DeviceType::cpu) {  // the very bits of the sum in order
        EXPECT_EQ(result, Values(expected.begin(), expected.end()));
      }
      EXPECT_LT(relative_error(result, Values(expected.begin(), expected.end())), 1e-6);
    }
  }
}

// Ids of a vocabulary, most of them few: the first is half of all, the second a quarter, and so on.
Values skewed_ids(Size n, Size vocabulary, unsigned seed) {
  Values ids = random_values(std::int64_t(n), seed);
  for (double& id : ids) {
    const double rank = std::floor(-std::log2(std::abs(id) + 1e-9));
    id = id > 0 ? std::min(rank, double(vocabulary - 1)) : std::floor(-id * double(vocabulary));
  }
  return ids;
}

struct IdSizes {
  Size tokens, vocabulary, columns;
};

// On a GPU the tokens of an id are cut into pieces that are summed apart: ids that come once, up
// to a segment's end, over some segments, over hundreds; some of them in another rank's table.
TEST_P(EmbeddingTest, BackwardAddsUpIdsOfAnyFrequency) {
  for (const auto& [n, vocabulary, d] :
       {IdSizes{1, 3, 8}, IdSizes{31, 3, 8}, IdSizes{32, 1, 8}, IdSizes{33, 3, 8},
        IdSizes{64, 1, 8}, IdSizes{300, 3, 200}, IdSizes{1100, 260, 7}, IdSizes{2100, 4160, 192},
        IdSizes{2100, 260, 192}, IdSizes{2100, 3, 600}, IdSizes{9000, 1, 12},
        IdSizes{9000, 260, 12}}) {
    const Values ids = skewed_ids(n, vocabulary, 3), dy = values(std::int64_t(n * d), 1);
    for (const Size first : {Size{0}, vocabulary / 2}) {
      const Size rows = vocabulary - first;
      const Values before = random_values(std::int64_t(rows * d), 2);
      Values expected = before;
      for (Size i = 0; i < n; ++i) {
        if (ids[i] < double(first)) continue;
        double* const row = &expected[(static_cast<Size>(ids[i]) - first) * d];
        for (Size c = 0; c < d; ++c) row[c] += dy[i * d + c];
      }
      const DeviceTensor tids(context_, DType::i32, {std::int64_t(n)}, ids);
      const DeviceTensor tdy(context_, dtype(), matrix(n, d), dy);
      Values result;
      for (int repeat = 0; repeat < 3; ++repeat) {
        const DeviceTensor dtable(context_, DType::f32, matrix(rows, d), before);
        embedding_backward(context_, tids, tdy, std::int64_t(first), dtable);
        if (repeat == 0) result = dtable.download();
        EXPECT_EQ(dtable.download(), result) << "the same bits every time";
      }
      EXPECT_LT(relative_error(result, expected), 2e-6)
          << n << " tokens, " << vocabulary << " ids from " << first << " on";
    }
  }
}

TEST_P(EmbeddingTest, BackwardDoesNotDependOnTheNumberOfThreads) {
  const Size n = 500, d = 96;
  const DeviceTensor ids(context_, DType::i32, {500}, some_ids(n));
  const DeviceTensor dy(context_, dtype(), matrix(n, d), values(n * d, 1));
  const int threads = num_threads();
  Values first;
  for (const int now : {1, 2, 3, 2}) {
    set_num_threads(now);
    const DeviceTensor dtable(context_, DType::f32, matrix(table_rows, d),
                              Values(table_rows * d, 0.0));
    embedding_backward(context_, ids, dy, first_id, dtable);
    if (first.empty()) first = dtable.download();
    EXPECT_EQ(dtable.download(), first);
  }
  set_num_threads(threads);
}

}  // namespace
}  // namespace fathom::ops

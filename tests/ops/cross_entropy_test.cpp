#include "ops/cross_entropy.h"

#include <limits>

#include "ops/ops_test.h"

namespace fathom::ops {
namespace {

using namespace test;

class CrossEntropyTest : public OpsTest {};
INSTANTIATE_ON_DEVICES(CrossEntropyTest);

constexpr double infinity = std::numeric_limits<double>::infinity();

TEST_P(CrossEntropyTest, GivesLossesAndOverwritesTheLogitsWithTheirGradient) {
  for (const auto& [n, vocabulary] : {std::pair<Size, Size>{1, 1},
                                      {4, 7},
                                      {9, 31},
                                      {9, 260},
                                      {9, 301},
                                      {6, 520},
                                      {5, 1028},
                                      {5, 1040},
                                      {2, 2049},
                                      {7, 4160},
                                      {3, 4161},
                                      {3, 5000},
                                      {3, 8191},
                                      {2, 70003},
                                      {2, 102400}}) {
    const Values logits = values(n * vocabulary, 1, 6);
    Values targets(n);
    for (Size i = 0; i < n; ++i) targets[i] = i % 3 == 1 ? -1 : double((i * 57 + 1) % vocabulary);
    const auto expected = reference_cross_entropy(n, vocabulary, logits, targets, 0.25);
    for (const Layout& layout : layouts()) {
      const DeviceTensor t(context_, DType::i32, {std::int64_t(n)}, targets);
      const DeviceTensor x(context_, dtype(), matrix(n, vocabulary), logits, layout);
      DeviceTensor losses(context_, DType::f32, {std::int64_t(n)}, layout);
      cross_entropy(context_, x, t, LogitsGradient::none, {0.25f, {}}, losses);
      EXPECT_EQ(x.download(), logits);
      EXPECT_LT(relative_error(losses.download(), expected.losses), 1e-6);
      losses.poison();
      cross_entropy(context_, x, t, LogitsGradient::overwrite, {0.25f, {}}, losses);
      EXPECT_LT(relative_error(losses.download(), expected.losses), 1e-6);
      EXPECT_LT(relative_error(x.download(), expected.gradient), tolerance())
          << n << " x " << vocabulary;
    }
  }
}

// Weights, some of them 0, scale the rows of the gradient and leave the losses alone.
TEST_P(CrossEntropyTest, WeightsScaleTheGradientOfEachToken) {
  for (const auto& [n, vocabulary] : {std::pair<Size, Size>{5, 7}, {5, 301}, {5, 12000}}) {
    const Values logits = values(n * vocabulary, 1, 6), targets{3, -1, 0, 6, 2};
    const Values weights{0.5, 2, 0, 1.75, 1};
    auto expected = reference_cross_entropy(n, vocabulary, logits, targets, 0.25);
    for (Size i = 0; i < n * vocabulary; ++i) expected.gradient[i] *= weights[i / vocabulary];
    const DeviceTensor t(context_, DType::i32, {std::int64_t(n)}, targets);
    const DeviceTensor w(context_, DType::f32, {std::int64_t(n)}, weights);
    const DeviceTensor whole(context_, dtype(), matrix(n, vocabulary), logits);
    const DeviceTensor split(context_, dtype(), matrix(n, vocabulary), logits);
    const DeviceTensor losses(context_, DType::f32, {std::int64_t(n)});
    const DeviceTensor parts(context_, DType::f32, {1, 3, std::int64_t(n)});
    cross_entropy(context_, whole, t, LogitsGradient::overwrite, {0.25f, w}, losses);
    EXPECT_LT(relative_error(losses.download(), expected.losses), 1e-6);
    EXPECT_LT(relative_error(whole.download(), expected.gradient), tolerance()) << vocabulary;
    cross_entropy_part(context_, split, t, 0, Tensor(parts).view({3, std::int64_t(n)}));
    cross_entropy_from_parts(context_, parts, split, t, 0, LogitsGradient::overwrite, {0.25f, w},
                             losses);
    EXPECT_LT(relative_error(losses.download(), expected.losses), 1e-6);
    EXPECT_LT(relative_error(split.download(), expected.gradient), tolerance()) << vocabulary;
  }
}

TEST_P(CrossEntropyTest, RefusesWeightsOfAnotherShape) {
  const DeviceTensor x(context_, dtype(), {2, 4}, Values(8, 1.0)),
      targets(context_, DType::i32, {2}, Values{0, 1}), losses(context_, DType::f32, {2}),
      weights(context_, DType::f32, {3}, Values{1, 1, 1});
  EXPECT_NE(message_of([&] {
              cross_entropy(context_, x, targets, LogitsGradient::overwrite, {1, weights}, losses);
            }).find("weights"),
            std::string::npos);
}

// On a GPU blocks take rows in turns, the next of which arrives while one is written: one,
// two or four blocks a multiprocessor, by the length of the rows.
TEST_P(CrossEntropyTest, TakesManyRows) {
  if (device().type == DeviceType::cpu) GTEST_SKIP() << "the CPU takes rows one by one";
  for (const auto& [n, vocabulary] :
       {std::pair<Size, Size>{1201, 8200}, {601, 25000}, {301, 50008}, {301, 66008}}) {
    const Values logits = values(n * vocabulary, 1, 6);
    Values targets(n);
    for (Size i = 0; i < n; ++i) targets[i] = i % 7 == 1 ? -1 : double(i * 6007 % vocabulary);
    const auto expected = reference_cross_entropy(n, vocabulary, logits, targets, 0.25);
    const DeviceTensor t(context_, DType::i32, {std::int64_t(n)}, targets);
    const DeviceTensor x(context_, dtype(), matrix(n, vocabulary), logits);
    const DeviceTensor losses(context_, DType::f32, {std::int64_t(n)});
    cross_entropy(context_, x, t, LogitsGradient::overwrite, {0.25f, {}}, losses);
    EXPECT_LT(relative_error(losses.download(), expected.losses), 1e-6) << vocabulary;
    EXPECT_LT(relative_error(x.download(), expected.gradient), tolerance()) << vocabulary;
  }
}

// Three ranks' columns, one after another on one device.
TEST_P(CrossEntropyTest, ASplitVocabularyGivesTheSame) {
  constexpr std::int64_t n = 5, widths[] = {301, 300, 7};
  const Size vocabulary = 608;
  Values logits = values(n * vocabulary, 1, 6), targets{0, 607, -1, 301, 300};
  // A rank that has nothing to add to a row.
  for (Size i = 0; i < 301; ++i) logits[3 * vocabulary + i] = -infinity;
  const auto expected = reference_cross_entropy(n, vocabulary, logits, targets, 0.25);
  const DeviceTensor t(context_, DType::i32, {n}, targets), x(context_, dtype(), {n, 608}, logits),
      parts(context_, DType::f32, {3, 3, n}), losses(context_, DType::f32, {n});
  for (const auto gradient : {LogitsGradient::none, LogitsGradient::overwrite}) {
    for (std::int64_t pass = 0; pass < 2; ++pass) {
      for (std::int64_t rank = 0, first = 0; rank < 3; first += widths[rank++]) {
        const Tensor mine = Tensor(x).columns(first, widths[rank]);
        const Tensor part = Tensor(parts).slice(rank, 1).view({3, n});
        if (pass == 0)
          cross_entropy_part(context_, mine, t, first, part);
        else
          cross_entropy_from_parts(context_, parts, mine, t, first, gradient, {0.25f, {}}, losses);
      }
    }
    EXPECT_LT(relative_error(losses.download(), expected.losses), 1e-6);
    if (gradient == LogitsGradient::none) {
      EXPECT_EQ(x.download(), logits);
    } else {
      EXPECT_LT(relative_error(x.download(), expected.gradient), tolerance());
    }
  }
}

TEST_P(CrossEntropyTest, IsExactEnoughForALargeVocabulary) {
  const Size vocabulary = 102400;
  const Values logits = values(vocabulary, 1, 0.5), targets{77777};
  const auto expected = reference_cross_entropy(1, vocabulary, logits, targets, 1);
  const DeviceTensor x(context_, dtype(), matrix(1, vocabulary), logits);
  const DeviceTensor t(context_, DType::i32, {1}, targets), losses(context_, DType::f32, {1});
  cross_entropy(context_, x, t, LogitsGradient::overwrite, {}, losses);
  EXPECT_LT(relative_error(losses.download(), expected.losses), 3e-7);
  Values gradient = x.download();
  EXPECT_NEAR(gradient[77777], expected.gradient[77777], is_f32() ? 1e-6 : 4e-3);
  gradient[77777] = expected.gradient[77777];
  EXPECT_LT(relative_error(gradient, expected.gradient), 1e-5);  // led by the target's entry
}

TEST_P(CrossEntropyTest, IsStableForHugeAndInfiniteLogits) {
  const Values rows{30000, 29999, -30000, -infinity, -infinity, -infinity, 5, 5};
  const Values targets{0, 2};
  for (const bool transposed : {false, true}) {
    Values logits(8);
    for (Size i = 0; i < 8; ++i) {  // the second pass sees the largest logit last
      logits[i] = rounded(dtype(), rows[transposed ? i / 4 * 4 + 3 - i % 4 : i]);
    }
    const Values where = transposed ? Values{3, 1} : targets;
    const DeviceTensor x(context_, dtype(), {2, 4}, logits), losses(context_, DType::f32, {2});
    cross_entropy(context_, x, DeviceTensor(context_, DType::i32, {2}, where),
                  LogitsGradient::overwrite, {}, losses);
    const auto expected = reference_cross_entropy(2, 4, logits, where, 1);
    EXPECT_LT(relative_error(losses.download(), expected.losses), 1e-6);
    EXPECT_LT(relative_error(x.download(), expected.gradient), tolerance());
  }
}

TEST_P(CrossEntropyTest, BlocksOfMinusInfinityBeforeTheMaximumCountAsNothing) {
  Values logits(6000, -infinity);
  logits[5990] = 3;
  logits[5995] = 3;
  const DeviceTensor x(context_, dtype(), {1, 6000}, logits), losses(context_, DType::f32, {1});
  cross_entropy(context_, x, DeviceTensor(context_, DType::i32, {1}, Values{5995}),
                LogitsGradient::none, {}, losses);
  EXPECT_NEAR(losses.download()[0], std::log(2.0), 1e-6);
}

TEST_P(CrossEntropyTest, ANaNReachesTheLoss) {
  Values logits(3000, 1.0);
  logits[2500] = std::nan("");
  const DeviceTensor x(context_, dtype(), {1, 3000}, logits), losses(context_, DType::f32, {1});
  cross_entropy(context_, x, DeviceTensor(context_, DType::i32, {1}, Values{5}),
                LogitsGradient::none, {}, losses);
  EXPECT_TRUE(std::isnan(losses.download()[0]));
}

TEST_P(CrossEntropyTest, RefusesATargetOutsideTheVocabulary) {
  if (device().type != DeviceType::cpu) GTEST_SKIP() << "targets are checked on the CPU only";
  const DeviceTensor x(context_, dtype(), {2, 4}, Values(8, 1.0)),
      losses(context_, DType::f32, {2});
  for (const double bad : {4.0, -2.0}) {
    const DeviceTensor targets(context_, DType::i32, {2}, Values{0, bad});
    EXPECT_EQ(
        message_of(
            [&] { cross_entropy(context_, x, targets, LogitsGradient::overwrite, {}, losses); }),
        fmt::format("cross_entropy: targets[1] is {}, the vocabulary has 4 entries", int(bad)));
    EXPECT_EQ(x.download(), Values(8, 1.0));
  }
}

}  // namespace
}  // namespace fathom::ops

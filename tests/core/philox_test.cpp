#include "core/philox.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

// Known-answer vectors of the authors' Random123 distribution (philox4x32-10).
TEST(Philox, MatchesThePublishedVectors) {
  const auto zero = Philox{0, 0}(0);
  EXPECT_EQ(zero.v[0], 0x6627e8d5u);
  EXPECT_EQ(zero.v[1], 0xe169c58du);
  EXPECT_EQ(zero.v[2], 0xbc57ac4cu);
  EXPECT_EQ(zero.v[3], 0x9b00dbd8u);
  const auto ones = Philox{~0ull, ~0ull}(~0ull);
  EXPECT_EQ(ones.v[0], 0x408f276du);
  EXPECT_EQ(ones.v[1], 0x41c83b0eu);
  EXPECT_EQ(ones.v[2], 0xa20bc7c6u);
  EXPECT_EQ(ones.v[3], 0x6d5451fdu);
}

// Checkpoints and data orders lean on these for ever.
TEST(Philox, WordsMakeBitsAndNamesMakeStreams) {
  EXPECT_EQ((Philox{0, 0}.bits(0)), 0xe169c58d6627e8d5ull);
  EXPECT_EQ((Philox{0, 0}.uniform(0)), static_cast<double>(0xe169c58d6627e8d5ull >> 11) * 0x1p-53);
  EXPECT_EQ(stream_of("", 0), 0xcbf29ce484222325ull);  // FNV-1a's published values
  EXPECT_EQ(stream_of("a", 1), 0xaf63dc4c8601ec8cull);
  EXPECT_EQ(stream_of("foobar", 6), 0x85944171f73967e8ull);
}

TEST(Philox, UniformFillsTheUnitInterval) {
  const Philox random{7, 3};
  double sum = 0;
  for (int i = 0; i < 10000; ++i) {
    const double u = random.uniform(i);
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
  }
  EXPECT_NEAR(sum / 10000, 0.5, 0.01);
}

}  // namespace
}  // namespace fathom

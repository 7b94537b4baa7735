// Blocks of GGUF's types. The expected values are those of PyPI's gguf (its quants.py) for the same
// bytes; bench/gguf_vs_llama_cpp.py compares more of them.
#include "io/gguf_blocks.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "io/stored_values.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

struct Golden {
  GgufType type;
  std::vector<std::size_t> halves;  // where the block's half-precision scales are: 0.25, then 0.125
  double weighted_sum;              // of (i + 1) · value i
  std::vector<float> some;          // values 0, 1, n / 2 + 1 and n − 1
};

const Golden goldens[] = {
    {GgufType::q4_0, {0}, -129.5, {-0.75, 0.5, -0.25, 0.0}},
    {GgufType::q4_1, {0, 2}, 1061.75, {3.875, 1.125, 3.125, 3.125}},
    {GgufType::q5_0, {0}, 28.0, {2.25, -0.5, 0.0, 0.25}},
    {GgufType::q5_1, {0, 2}, 2041.25, {4.875, 6.125, 1.375, 1.375}},
    {GgufType::q8_0, {0}, -2020.0, {21.25, 30.5, -13.5, -12.0}},
    {GgufType::q2_k, {80, 82}, 60782.5, {8.25, 0.0, -0.375, 1.125}},
    {GgufType::q3_k, {108}, 44286.25, {20.25, -27.0, -0.0, 10.5}},
    {GgufType::q4_k, {0, 2}, 1893210.0, {78.875, -6.375, -1.5, 12.125}},
    {GgufType::q5_k, {0, 2}, 4006862.0, {202.875, -6.375, -1.5, 27.125}},
    {GgufType::q6_k, {208}, 196105.0, {-357.75, 424.0, 104.0, -15.0}},
};

TEST(GgufBlocks, DequantiseAsGgufsOwnFunctions) {
  for (const Golden& golden : goldens) {
    const GgufBlock block = block_of(golden.type);
    std::vector<std::byte> bytes(block.bytes);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = std::byte((i * 37 + 11) & 255);
    for (std::size_t i = 0; i < golden.halves.size(); ++i) {
      const std::uint16_t scale = half_of_float(i == 0 ? 0.25f : 0.125f);
      std::memcpy(&bytes[golden.halves[i]], &scale, 2);
    }
    // Two blocks, whose values are alike, and nothing is written behind them.
    const auto count = static_cast<std::size_t>(block.values);
    std::vector<std::byte> twice = bytes;
    twice.insert(twice.end(), bytes.begin(), bytes.end());
    std::vector<float> values(2 * count + 1, 7);
    decode_gguf(golden.type, twice, values.data());
    EXPECT_EQ(values.back(), 7) << name_of(golden.type);
    EXPECT_TRUE(std::equal(values.begin(), values.begin() + std::ptrdiff_t(count),
                           values.begin() + std::ptrdiff_t(count)))
        << name_of(golden.type);
    values.resize(count);
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += static_cast<double>(i + 1) * values[i];
    EXPECT_EQ(sum, golden.weighted_sum) << name_of(golden.type);
    const std::size_t n = values.size();
    EXPECT_EQ((std::vector{values[0], values[1], values[n / 2 + 1], values[n - 1]}), golden.some)
        << name_of(golden.type);
  }
}

TEST(GgufBlocks, Q8KHasAScaleInF32) {
  std::vector<std::byte> bytes(block_of(GgufType::q8_k).bytes);
  const float scale = 0.5f;
  std::memcpy(bytes.data(), &scale, 4);
  bytes[4] = std::byte(100);
  bytes[259] = std::byte(0x80);
  std::vector<float> values(256);
  decode_gguf(GgufType::q8_k, bytes, values.data());
  EXPECT_EQ(values[0], 50);
  EXPECT_EQ(values[255], -64);
}

TEST(GgufBlocks, Q8IsWithinHalfAStepOfTheValues) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> values(64 * 32), back(values.size());
  for (float& value : values) value = normal(random);
  std::fill(values.begin(), values.begin() + 32, 0.0f);  // a block of zeros has the scale 0
  std::vector<std::byte> blocks(64 * 34);
  encode_gguf(GgufType::q8_0, values, blocks.data());
  decode_gguf(GgufType::q8_0, blocks, back.data());
  for (std::size_t block = 0; block < 64; ++block) {
    float largest = 0;
    for (std::size_t i = 0; i < 32; ++i) {
      largest = std::max(largest, std::abs(values[32 * block + i]));
    }
    // Half a step of the rounded scale, whose own rounding moves the largest values.
    const float limit = largest / 127 * 0.5f + largest * 0x1p-11f;
    for (std::size_t i = 0; i < 32; ++i) {
      EXPECT_LE(std::abs(values[32 * block + i] - back[32 * block + i]), limit);
    }
  }
}

TEST(GgufBlocks, HalvesAreTheNearestWithTiesToEven) {
  // Every half is its own nearest.
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = float_of_half(static_cast<std::uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(float_of_half(half_of_float(value))));
    } else {
      EXPECT_EQ(half_of_float(value), bits);
    }
  }
  EXPECT_EQ(half_of_float(65519.0f), 0x7bff);
  EXPECT_EQ(half_of_float(65520.0f), 0x7c00);
  // Halfway between neighbours, also among the subnormal ones and at their end.
  for (const std::uint32_t bits : {0x0000u, 0x0001u, 0x0002u, 0x03ffu, 0x0400u, 0x3c00u, 0x3c01u}) {
    const float low = float_of_half(static_cast<std::uint16_t>(bits));
    const float high = float_of_half(static_cast<std::uint16_t>(bits + 1));
    const float middle = low + (high - low) / 2;
    EXPECT_EQ(half_of_float(middle), bits % 2 == 0 ? bits : bits + 1) << bits;
    EXPECT_EQ(half_of_float(std::nextafter(middle, 1e9f)), bits + 1) << bits;
    EXPECT_EQ(half_of_float(std::nextafter(middle, -1e9f)), bits) << bits;
  }
}

// As ggml numbers and names them (ggml.h, ggml-common.h).
TEST(GgufBlocks, TypesHaveTheirNumbersNamesAndSizes) {
  struct Row {
    std::uint32_t number;
    std::string_view name;
    std::int64_t values;
    std::size_t bytes;
  };
  const Row rows[] = {{0, "F32", 1, 4},       {1, "F16", 1, 2},       {2, "Q4_0", 32, 18},
                      {3, "Q4_1", 32, 20},    {6, "Q5_0", 32, 22},    {7, "Q5_1", 32, 24},
                      {8, "Q8_0", 32, 34},    {10, "Q2_K", 256, 84},  {11, "Q3_K", 256, 110},
                      {12, "Q4_K", 256, 144}, {13, "Q5_K", 256, 176}, {14, "Q6_K", 256, 210},
                      {15, "Q8_K", 256, 292}, {30, "BF16", 1, 2}};
  std::size_t readable = 0;
  for (std::uint32_t number = 0; number < 64; ++number) {
    readable += gguf_type_numbered(number).has_value();
  }
  EXPECT_EQ(readable, std::size(rows));
  for (const Row& row : rows) {
    const auto type = gguf_type_numbered(row.number);
    ASSERT_TRUE(type.has_value()) << row.name;
    EXPECT_EQ(name_of(*type), row.name);
    EXPECT_EQ(block_of(*type).values, row.values) << row.name;
    EXPECT_EQ(block_of(*type).bytes, row.bytes) << row.name;
    const bool written = row.number <= 1 || row.number == 8 || row.number == 30;
    EXPECT_EQ(is_gguf_output(*type), written) << row.name;
    std::vector<std::byte> bytes(row.bytes + 1);
    std::vector<float> values(static_cast<std::size_t>(row.values) + 1);
    EXPECT_EQ(test::runtime_error_of([&] { decode_gguf(*type, bytes, values.data()); }),
              fmt::format("{} bytes are no whole number of {} blocks", row.bytes + 1, row.name));
    if (row.values == 1) continue;
    EXPECT_EQ(
        test::runtime_error_of([&] { encode_gguf(*type, values, bytes.data()); }),
        written ? fmt::format("{} values are no whole number of {} blocks", values.size(), row.name)
                : fmt::format("values are not converted to {}", row.name));
  }
}

// The scale is 1 with a largest magnitude of 127, so that values are rounded as they are.
TEST(GgufBlocks, Q8RoundsHalvesAwayFromZero) {
  std::vector<float> values(64, 0.0f);
  const std::pair<float, int> rounded[] = {{127, 127}, {2.5f, 3},       {-2.5f, -3},
                                           {0.5f, 1},  {-0.5f, -1},     {0.49f, 0},
                                           {1.5f, 2},  {-126.5f, -127}, {126.4f, 126}};
  for (std::size_t i = 0; i < std::size(rounded); ++i) values[i] = rounded[i].first;
  values[63] = -254;  // the largest of the second block, whose scale is 2
  values[32] = 3;
  std::byte blocks[2 * 34];
  encode_gguf(GgufType::q8_0, values, blocks);
  for (std::size_t i = 0; i < std::size(rounded); ++i) {
    EXPECT_EQ(static_cast<std::int8_t>(blocks[2 + i]), rounded[i].second) << rounded[i].first;
  }
  std::uint16_t scales[2];
  std::memcpy(&scales[0], blocks, 2);
  std::memcpy(&scales[1], blocks + 34, 2);
  EXPECT_EQ(scales[0], half_of_float(1));
  EXPECT_EQ(scales[1], half_of_float(2));
  EXPECT_EQ(static_cast<std::int8_t>(blocks[34 + 2]), 2);
  EXPECT_EQ(static_cast<std::int8_t>(blocks[34 + 2 + 31]), -127);
}

TEST(GgufBlocks, UnquantisedValuesAreRoundedToNearest) {
  const std::vector<float> values = {1, -2.5f, 1.00390625f, 1.01171875f, 65520, -0.0f};
  const auto through = [&](GgufType type) {
    std::vector<std::byte> bytes(values.size() * block_of(type).bytes + 1, std::byte(7));
    encode_gguf(type, values, bytes.data());
    EXPECT_EQ(bytes.back(), std::byte(7)) << name_of(type);
    bytes.pop_back();
    std::vector<float> back(values.size());
    decode_gguf(type, bytes, back.data());
    EXPECT_TRUE(std::signbit(back.back())) << name_of(type);
    return back;
  };
  EXPECT_EQ(through(GgufType::f32), values);
  EXPECT_EQ(through(GgufType::f16),
            (std::vector<float>{1, -2.5f, 1.00390625f, 1.01171875f, INFINITY, 0}));
  EXPECT_EQ(through(GgufType::bf16), (std::vector<float>{1, -2.5f, 1, 1.015625f, 65536, 0}));
  encode_gguf(GgufType::f32, {}, nullptr);
}

}  // namespace
}  // namespace fathom

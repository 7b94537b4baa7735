// Values of files as we compute with them.
#include "io/stored_values.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/error.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

TEST(StoredValues, HalfPrecisionIsExact) {
  EXPECT_EQ(float_of_half(0x3c00), 1.0f);
  EXPECT_EQ(float_of_half(0xc000), -2.0f);
  EXPECT_EQ(float_of_half(0x7bff), 65504.0f);
  EXPECT_EQ(float_of_half(0x0400), 0x1p-14f);
  EXPECT_EQ(float_of_half(0x0001), 0x1p-24f);
  EXPECT_EQ(float_of_half(0x83ff), -0x3ffp-24f);
  EXPECT_TRUE(std::signbit(float_of_half(0x8000)));
  EXPECT_EQ(float_of_half(0xfc00), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(float_of_half(0x7e00)));
}

// As `to`, from an address that is not aligned.
template <class From, class To>
std::vector<float> converted(const std::vector<From>& values, StoredType type) {
  std::vector<std::byte> bytes(values.size() * sizeof(From) + 1);
  std::memcpy(bytes.data() + 1, values.data(), values.size() * sizeof(From));
  std::vector<To> out(values.size() + 1, static_cast<To>(7.0f));
  convert_stored(std::span(bytes).subspan(1), type, out.data(), dtype_of<To>);
  EXPECT_EQ(static_cast<float>(out.back()), 7) << "written behind the last value";
  out.pop_back();
  std::vector<float> floats;
  for (const To value : out) floats.push_back(static_cast<float>(value));
  return floats;
}

TEST(StoredValues, EachTypeBecomesEach) {
  const std::vector<float> floats = {1, -2, 1.00390625f, 3e38f};
  const std::vector<std::uint16_t> halves = {0x3c00, 0xc000, 0x3c04};
  EXPECT_EQ((converted<float, float>(floats, StoredType::f32)), floats);
  // A tie goes to the even neighbour.
  EXPECT_EQ((converted<float, bfloat16>({1, 1.00390625f}, StoredType::f32)),
            (std::vector<float>{1, 1}));
  EXPECT_EQ((converted<std::uint16_t, float>(halves, StoredType::f16)),
            (std::vector<float>{1, -2, 1.00390625f}));
  EXPECT_EQ((converted<std::uint16_t, float>({0x3f80, 0xc000}, StoredType::bf16)),
            (std::vector<float>{1, -2}));
  EXPECT_TRUE(is_convertible(StoredType::f32));
  EXPECT_TRUE(is_convertible(StoredType::bf16));
  EXPECT_TRUE(is_convertible(StoredType::f16));
  EXPECT_FALSE(is_convertible(StoredType::i32));
  float out = 0;
  EXPECT_THROW(convert_stored({}, StoredType::i32, &out, DType::f32), Error);
}

TEST(StoredValues, HalvesKeepSignsInfinitiesAndNan) {
  EXPECT_EQ(half_of_float(-0.0f), 0x8000);
  EXPECT_EQ(half_of_float(INFINITY), 0x7c00);
  EXPECT_EQ(half_of_float(-INFINITY), 0xfc00);
  EXPECT_EQ(half_of_float(std::nanf("")), 0x7e00);
  EXPECT_EQ(half_of_float(std::copysign(std::nanf(""), -1.0f)), 0xfe00);
  EXPECT_EQ(half_of_float(-65519.0f), 0xfbff);
  EXPECT_EQ(half_of_float(-65520.0f), 0xfc00);
  EXPECT_EQ(half_of_float(3e38f), 0x7c00);
  EXPECT_EQ(half_of_float(-1.5f), 0xbe00);
  EXPECT_EQ(half_of_float(-0x1p-24f), 0x8001);
  EXPECT_EQ(half_of_float(0x1p-26f), 0);
}

TEST(StoredValues, HalvesAndBfloatsAreConvertedOrCopied) {
  const std::vector<std::uint16_t> halves = {0x3c00, 0xc000, 0x3c05};  // the last is 1.0048828125
  EXPECT_EQ((converted<std::uint16_t, bfloat16>(halves, StoredType::f16)),
            (std::vector<float>{1, -2, 1.0078125f}));
  EXPECT_EQ((converted<std::uint16_t, bfloat16>({0x3f80, 0xc001}, StoredType::bf16)),
            (std::vector<float>{1, -2.015625f}));
  convert_stored({}, StoredType::f32, nullptr, DType::f32);
}

TEST(StoredValues, OtherTypesAreNamed) {
  for (const StoredType type :
       {StoredType::boolean, StoredType::u8, StoredType::i8, StoredType::f8_e5m2,
        StoredType::f8_e4m3, StoredType::i16, StoredType::u16, StoredType::i32, StoredType::u32,
        StoredType::f64, StoredType::i64, StoredType::u64}) {
    EXPECT_FALSE(is_convertible(type)) << name_of(type);
    float out = 0;
    EXPECT_EQ(test::runtime_error_of([&] { convert_stored({}, type, &out, DType::bf16); }),
              fmt::format("values of type {} cannot be converted to {}", name_of(type),
                          name_of(DType::bf16)));
  }
}

}  // namespace
}  // namespace fathom

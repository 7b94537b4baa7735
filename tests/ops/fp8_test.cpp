#include "ops/fp8.h"

#include <algorithm>
#include <limits>

#include "ops/ops_test.h"

namespace fathom::ops {
namespace {

using namespace test;
using testing::HasSubstr;

using Bits = std::vector<std::uint8_t>;

// The numbers of a format from 0 up, each with its bits: 1/8 steps (e4m3) or 1/4 steps (e5m2) of
// every power of two.
struct Fp8Number {
  double value;
  std::uint8_t bits;
};
std::vector<Fp8Number> list_numbers(Fp8Format format) {
  const bool e4m3 = format == Fp8Format::e4m3;
  const int steps = e4m3 ? 8 : 4, smallest_exponent = e4m3 ? -6 : -14;
  std::vector<Fp8Number> numbers;
  for (int i = 0; i < 128; ++i) {
    const int exponent = std::max(i / steps, 1) - 1 + smallest_exponent;
    const int count = i % steps + (i / steps > 0 ? steps : 0);
    const double value = std::ldexp(static_cast<double>(count) / steps, exponent);
    if (value <= largest(format)) numbers.push_back({value, static_cast<std::uint8_t>(i)});
  }
  return numbers;
}

const std::vector<Fp8Number>& numbers_of(Fp8Format format) {
  static const std::vector<Fp8Number> e4m3 = list_numbers(Fp8Format::e4m3),
                                      e5m2 = list_numbers(Fp8Format::e5m2);
  return format == Fp8Format::e4m3 ? e4m3 : e5m2;
}

double value_of(std::uint8_t bits, Fp8Format format) {
  const double value = numbers_of(format).at(bits & 0x7f).value;
  return bits & 0x80 ? -value : value;
}

// The nearest number; of two as near, the one with an even last bit.
std::uint8_t nearest(double value, const std::vector<Fp8Number>& numbers) {
  const auto distance = [&](const Fp8Number& n) { return std::abs(n.value - std::abs(value)); };
  const auto best = std::ranges::min_element(numbers, [&](const Fp8Number& a, const Fp8Number& b) {
    return distance(a) != distance(b) ? distance(a) < distance(b) : a.bits % 2 < b.bits % 2;
  });
  return static_cast<std::uint8_t>(best->bits | (std::signbit(value) ? 0x80 : 0));
}

// An FP8 matrix on the device.
class TestFp8Matrix {
 public:
  TestFp8Matrix(Context& context, Fp8Format format, std::int64_t rows, std::int64_t cols)
      : context_(context),
        memory_(context.device, static_cast<std::size_t>(rows * cols)),
        scale_(context.device, sizeof(float)),
        matrix{memory_.tensor(DType::u8, {rows, cols}), scale_.tensor(DType::f32, {1}), format} {}

  Bits bits() const { return downloaded<std::uint8_t>(matrix.values); }
  float scale() const { return downloaded<float>(matrix.scale).front(); }
  void set(const Bits& bits, float scale) {
    copy_bytes(matrix.values.data, context_.device, bits.data(), cpu_device, bits.size(),
               context_.stream);
    copy_bytes(matrix.scale.data, context_.device, &scale, cpu_device, sizeof scale,
               context_.stream);
    synchronize(context_.device, context_.stream);
  }
  Values values() const {
    Values values;
    for (const std::uint8_t b : bits()) values.push_back(scale() * value_of(b, matrix.format));
    return values;
  }

 private:
  template <class T>
  std::vector<T> downloaded(Tensor tensor) const {
    std::vector<T> host(static_cast<std::size_t>(tensor.elements()));
    copy_bytes(host.data(), cpu_device, tensor.data, context_.device, tensor.bytes(),
               context_.stream);
    synchronize(context_.device, context_.stream);
    return host;
  }

  Context& context_;
  Buffer memory_, scale_;

 public:
  Fp8Matrix matrix;
};

Bits transposed_bits(const Bits& bits, std::int64_t rows, std::int64_t cols) {
  Bits result(bits.size());
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) {
      result[static_cast<std::size_t>(c * rows + r)] = bits[static_cast<std::size_t>(r * cols + c)];
    }
  }
  return result;
}

class Fp8Test : public OpsTest {
 protected:
  void SetUp() override {
    if (device().type == DeviceType::cuda && cuda::compute_capability(0) < 89) {
      GTEST_SKIP() << "the GPU does not multiply FP8";
    }
  }
  // Random bits of a matrix without NaN.
  Bits random_bits(std::int64_t count, Fp8Format format, unsigned seed) const {
    const auto numbers = static_cast<unsigned>(numbers_of(format).size());
    std::mt19937 engine(seed);
    Bits bits(static_cast<std::size_t>(count));
    for (std::uint8_t& b : bits)
      b = static_cast<std::uint8_t>(engine() % numbers | (engine() % 2) << 7);
    return bits;
  }
};
INSTANTIATE_ON_DEVICES(Fp8Test);

TEST(Fp8, KnownNumbersOfTheFormats) {
  EXPECT_EQ(numbers_of(Fp8Format::e4m3).size(), 127);
  EXPECT_EQ(numbers_of(Fp8Format::e5m2).size(), 124);
  EXPECT_EQ(value_of(0x38, Fp8Format::e4m3), 1);
  EXPECT_EQ(value_of(0x7e, Fp8Format::e4m3), 448);
  EXPECT_EQ(value_of(0x01, Fp8Format::e4m3), std::ldexp(1, -9));
  EXPECT_EQ(value_of(0x3c, Fp8Format::e5m2), 1);
  EXPECT_EQ(value_of(0x7b, Fp8Format::e5m2), 57344);
  EXPECT_EQ(value_of(0x81, Fp8Format::e5m2), -std::ldexp(1, -16));
}

// Every number, what lies in the middle of two, and what lies a little to either side of that.
TEST_P(Fp8Test, RoundsToTheNearestNumberTiesToEven) {
  for (const Fp8Format format : {Fp8Format::e4m3, Fp8Format::e5m2}) {
    const std::vector<Fp8Number>& numbers = numbers_of(format);
    Values x{largest(format)};  // the scale is 1
    for (std::size_t i = 0; i + 1 < numbers.size(); ++i) {
      const double a = numbers[i].value, middle = (a + numbers[i + 1].value) / 2;
      x.insert(x.end(), {a, -a, middle, -middle, middle * 1.02, -middle * 0.98});
    }
    const std::int64_t rows = 48, cols = 16;
    ASSERT_LE(x.size(), std::size_t(rows * cols));
    x.resize(rows * cols);
    Bits expected;
    for (double& value : x) {
      value = rounded(dtype(), value);
      expected.push_back(nearest(value, numbers));
    }
    const DeviceTensor dx(context_, dtype(), {rows, cols}, x);
    const TestFp8Matrix y(context_, format, rows, cols);
    quantize_fp8(context_, dx, format, y.matrix.values, Tensor{}, y.matrix.scale);
    EXPECT_EQ(y.scale(), 1);
    EXPECT_EQ(y.bits(), expected);
  }
}

TEST_P(Fp8Test, ScalesTheLargestMagnitudeToTheLargestNumber) {
  const std::int64_t rows = 272, cols = 208;  // more than a tile of a GPU's, and no whole number
  for (const Fp8Format format : {Fp8Format::e4m3, Fp8Format::e5m2}) {
    Values x = values(rows * cols, 1, 0.3);
    x.back() = -3;
    for (const Layout& layout : layouts()) {
      const DeviceTensor dx(context_, dtype(), {rows, cols}, x, layout);
      const TestFp8Matrix y(context_, format, rows, cols), both(context_, format, rows, cols),
          yt(context_, format, cols, rows), only(context_, format, cols, rows);
      quantize_fp8(context_, dx, format, y.matrix.values, Tensor{}, y.matrix.scale);
      EXPECT_FLOAT_EQ(y.scale(), 3 / largest(format));
      EXPECT_EQ(y.bits().back(), format == Fp8Format::e4m3 ? 0xfe : 0xfb);
      // The step between neighbours is 1/8 or 1/4 of the power of two, half of it the error.
      const double most = format == Fp8Format::e4m3 ? 1.0 / 16 : 1.0 / 8;
      const Values back = y.values();
      for (std::size_t i = 0; i < x.size(); ++i) {
        ASSERT_LE(std::abs(back[i] - x[i]), most * std::abs(x[i]) + 1e-5) << i;
      }
      quantize_fp8(context_, dx, format, both.matrix.values, yt.matrix.values, yt.matrix.scale);
      quantize_fp8(context_, dx, format, Tensor{}, only.matrix.values, only.matrix.scale);
      EXPECT_EQ(both.bits(), y.bits());
      EXPECT_EQ(yt.bits(), transposed_bits(y.bits(), rows, cols));
      EXPECT_EQ(only.bits(), yt.bits());
      EXPECT_EQ(only.scale(), y.scale());
    }
  }
}

TEST_P(Fp8Test, ZerosAndTinyNumbersStayFinite) {
  for (const double value : {0.0, 1e-39}) {
    const DeviceTensor x(context_, DType::f32, {16, 16}, Values(256, value));
    const TestFp8Matrix y(context_, Fp8Format::e4m3, 16, 16);
    quantize_fp8(context_, x, Fp8Format::e4m3, y.matrix.values, Tensor{}, y.matrix.scale);
    EXPECT_LE(y.scale(), 1e-39f);
    for (const double back : y.values()) EXPECT_LE(back, 1e-39);
  }
  // Zeros beside numbers whose inverse is beyond f32.
  Values mixed(256, 0.0);
  for (std::size_t i = 0; i < mixed.size(); i += 2) mixed[i] = 1e-39;
  const DeviceTensor x(context_, DType::f32, {16, 16}, mixed);
  for (const Fp8Format format : {Fp8Format::e4m3, Fp8Format::e5m2}) {
    const TestFp8Matrix y(context_, format, 16, 16);
    quantize_fp8(context_, x, format, y.matrix.values, Tensor{}, y.matrix.scale);
    const Values back = y.values();
    for (std::size_t i = 0; i < back.size(); ++i) {
      EXPECT_GE(back[i], 0) << i;
      EXPECT_LE(back[i], mixed[i]) << i;
    }
  }
}

// As in bf16: a step whose gradients are not finite is to be seen.
TEST_P(Fp8Test, ProductsWithInfinityOrNanAreNan) {
  for (const double bad :
       {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    Values x = values(16 * 32, 1);
    x[37] = bad;
    const DeviceTensor dx(context_, dtype(), {16, 32}, x);
    const TestFp8Matrix a(context_, Fp8Format::e5m2, 16, 32);
    quantize_fp8(context_, dx, Fp8Format::e5m2, a.matrix.values, Tensor{}, a.matrix.scale);
    TestFp8Matrix w(context_, Fp8Format::e4m3, 16, 32);
    w.set(random_bits(16 * 32, Fp8Format::e4m3, 2), 1);
    const DeviceTensor y(context_, DType::f32, {16, 16});
    linear_fp8(context_, a.matrix, w.matrix, y, Fp8Role::input_gradient);
    for (const double value : y.download()) EXPECT_TRUE(std::isnan(value));
  }
}

TEST_P(Fp8Test, LinearIsTheProductOfTheScaledNumbers) {
  struct Sizes {
    std::int64_t n, k, m;
  };
  using enum Fp8Format;
  for (const auto& [n, k, m] : {Sizes{16, 16, 16}, {48, 96, 32}, {272, 64, 304}, {16, 4128, 32}}) {
    for (const auto& [fx, fw] : {std::pair{e4m3, e4m3}, {e5m2, e4m3}}) {
      TestFp8Matrix x(context_, fx, n, k), w(context_, fw, m, k);
      x.set(random_bits(n * k, fx, 1), 0.25f);
      w.set(random_bits(m * k, fw, 2), 0.002f);
      const Values product = reference_linear(Size(n), Size(k), Size(m), x.values(), w.values());
      for (const Fp8Role role : {Fp8Role::output, Fp8Role::weight_gradient}) {
        // Hopper keeps some 14 bits of a sum between two instructions.
        const double limit = device().type == DeviceType::cuda ? 2e-3 : 2e-6;
        DeviceTensor y(context_, DType::f32, {n, m});
        linear_fp8(context_, x.matrix, w.matrix, y, role);
        EXPECT_LT(relative_error(y.download(), product), limit) << n;
        linear_fp8(context_, x.matrix, w.matrix, y, role, Accumulate::add);
        Values twice = product;
        for (double& value : twice) value *= 2;
        EXPECT_LT(relative_error(y.download(), twice), limit) << n;
        const DeviceTensor rounded(context_, DType::bf16, {n, m});
        linear_fp8(context_, x.matrix, w.matrix, rounded, role);
        EXPECT_LT(relative_error(rounded.download(), product), 4e-3) << n;
      }
    }
  }
}

TEST_P(Fp8Test, RefusesOtherShapesAndTypes) {
  const auto take = [&](DType type, Shape shape) { return DeviceTensor(context_, type, shape); };
  TestFp8Matrix x(context_, Fp8Format::e4m3, 32, 16), w(context_, Fp8Format::e4m3, 48, 16),
      narrow(context_, Fp8Format::e4m3, 48, 32), odd(context_, Fp8Format::e4m3, 24, 16);
  const DeviceTensor y = take(DType::f32, {32, 48}), y_bf16 = take(DType::bf16, {32, 48});
  const auto product = [&](const Fp8Matrix& a, const Fp8Matrix& b, Tensor out,
                           Accumulate accumulate = Accumulate::overwrite) {
    return message_of([&] { linear_fp8(context_, a, b, out, Fp8Role::output, accumulate); });
  };
  EXPECT_THAT(product(x.matrix, narrow.matrix, y), HasSubstr("the widths do not agree"));
  EXPECT_THAT(product(x.matrix, w.matrix, take(DType::f32, {32, 32})),
              HasSubstr("y must be [rows of x, rows of w]"));
  EXPECT_THAT(product(odd.matrix, w.matrix, take(DType::f32, {24, 48})),
              HasSubstr("multiples of 16"));
  EXPECT_THAT(product(x.matrix, w.matrix, y_bf16, Accumulate::add),
              HasSubstr("added to in f32 alone"));
  const auto rounding = [&](Tensor from, Tensor values, Tensor transposed) {
    return message_of(
        [&] { quantize_fp8(context_, from, Fp8Format::e4m3, values, transposed, x.matrix.scale); });
  };
  const DeviceTensor from = take(dtype(), {32, 16}), uneven = take(dtype(), {24, 16});
  EXPECT_THAT(rounding(from, Tensor{}, Tensor{}), HasSubstr("no output is wanted"));
  EXPECT_THAT(rounding(uneven, odd.matrix.values, Tensor{}), HasSubstr("multiples of 16"));
  EXPECT_THAT(rounding(from, w.matrix.values, Tensor{}), HasSubstr("must be ["));
  EXPECT_THAT(rounding(from, x.matrix.values, x.matrix.values), HasSubstr("must be ["));
}

}  // namespace
}  // namespace fathom::ops

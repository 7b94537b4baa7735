#include "scaling/product_law.h"

#include <gmock/gmock.h>

#include <vector>

#include "core/error.h"

namespace fathom::scaling {
namespace {

using testing::DoubleNear;

double exact(const ProductSize& s, double rate, double a, double b, double c) {
  return s.flops() / rate + a * s.outputs() + b * s.inputs() + c;
}

std::vector<ProductSize> sizes() {
  std::vector<ProductSize> all;
  for (const std::int64_t rows : {512, 2048, 8192}) {
    for (const std::int64_t columns : {1024, 4096, 11008}) {
      for (const std::int64_t depth : {1024, 4096, 22016}) all.push_back({rows, columns, depth});
    }
  }
  return all;
}

TEST(ProductSize, CountsTwoFlopsForEachOutputAndDepth) {
  const ProductSize size{2, 3, 5};
  EXPECT_EQ(size.flops(), 60);
  EXPECT_EQ(size.outputs(), 6);
  EXPECT_EQ(size.inputs(), 25);
}

TEST(ProductLaw, RecoversTheLawThatMadeTheMeasurements) {
  std::vector<MeasuredProduct> measured;
  for (const ProductSize& size : sizes()) {
    measured.push_back({size, exact(size, 7e14, 5e-13, 2e-13, 4e-6)});
  }
  const ProductLaw law(measured);
  EXPECT_NEAR(1 / law.coefficients()[0], 7e14, 7e10);
  EXPECT_NEAR(law.coefficients()[1], 5e-13, 1e-16);
  EXPECT_NEAR(law.coefficients()[2], 2e-13, 1e-16);
  EXPECT_NEAR(law.coefficients()[3], 4e-6, 1e-9);
  const ProductSize other{3000, 5000, 7000};
  EXPECT_NEAR(law.seconds(other), exact(other, 7e14, 5e-13, 2e-13, 4e-6), 1e-9);
}

TEST(ProductLaw, HasNoNegativeTerm) {
  std::vector<MeasuredProduct> measured;
  for (const ProductSize& size : sizes()) {
    measured.push_back({size, exact(size, 7e14, -1e-13, 2e-13, 4e-6)});
  }
  const ProductLaw law(measured);
  for (const double term : law.coefficients()) EXPECT_GE(term, 0);
  EXPECT_NEAR(law.seconds(sizes()[13]), measured[13].seconds, 0.02 * measured[13].seconds);
}

TEST(ProductLaw, OfOneMeasurementIsItsRate) {
  const std::vector<MeasuredProduct> one{{{4096, 4096, 4096}, 2e-4}};
  EXPECT_THAT(ProductLaw(one).seconds({4096, 4096, 4096}), DoubleNear(2e-4, 1e-9));
}

TEST(ProductLaw, NeedsAMeasurement) {
  EXPECT_THROW(ProductLaw({}), Error);
}

}  // namespace
}  // namespace fathom::scaling

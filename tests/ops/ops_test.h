// The frame of every operation's test: it runs on each device that the machine
// has, in f32 and in bf16, against tests/ops/reference.h.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "core/context.h"
#include "core/error.h"
#include "ops/device_tensor.h"
#include "ops/reference.h"

namespace fathom::ops::test {

using OpsParam = std::tuple<Device, DType>;

inline std::vector<OpsParam> devices_and_types() {
  std::vector<OpsParam> params;
  for (int device = -1; device < std::min(1, cuda::device_count()); ++device) {
    const Device where = device < 0 ? cpu_device : Device{DeviceType::cuda, 0};
    for (const DType dtype : {DType::f32, DType::bf16}) params.emplace_back(where, dtype);
  }
  return params;
}

inline std::string param_name(const testing::TestParamInfo<OpsParam>& info) {
  const bool is_cuda = std::get<0>(info.param).type == DeviceType::cuda;
  return std::string(is_cuda ? "cuda_" : "cpu_") + std::string(name_of(std::get<1>(info.param)));
}

#define INSTANTIATE_ON_DEVICES(Suite)                                                    \
  INSTANTIATE_TEST_SUITE_P(Devices, Suite, testing::ValuesIn(test::devices_and_types()), \
                           test::param_name)

// Numbers in [-scale, scale], the same every time.
inline Values random_values(std::int64_t count, unsigned seed, double scale = 1) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> uniform(-scale, scale);
  Values values(static_cast<std::size_t>(count));
  for (double& value : values) value = uniform(engine);
  return values;
}

inline Shape matrix(Size rows, Size cols) {
  return {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(cols)};
}

// |actual − expected| / |expected|, in the Euclidean norm; NaN when either has one.
inline double relative_error(const Values& actual, const Values& expected) {
  EXPECT_EQ(actual.size(), expected.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  return norm == 0 ? std::sqrt(difference) : std::sqrt(difference / norm);
}

class OpsTest : public testing::TestWithParam<OpsParam> {
 protected:
  Device device() const { return std::get<0>(GetParam()); }
  DType dtype() const { return std::get<1>(GetParam()); }
  bool is_f32() const { return dtype() == DType::f32; }

  // Rounding to bf16 alone is an error of 2^-9 at most, about 1.7e-3 in the norm.
  double tolerance() const { return is_f32() ? 1e-6 : 3e-3; }

  // Random numbers as the tested type stores them, so that the reference
  // computes from the same operands.
  Values values(std::int64_t count, unsigned seed, double scale = 1) const {
    Values result = random_values(count, seed, scale);
    for (double& value : result) value = rounded(dtype(), value);
    return result;
  }

  Context context_{device()};
};

// Layouts that every operation must cope with: contiguous, misaligned by one
// element, rows apart, both; rows apart where vector instructions still reach.
inline std::vector<Layout> layouts() {
  return {{0, 0}, {1, 0}, {0, 5}, {3, 7}, {8, 16}};
}

// The message of the Error that `call` throws; fails the test when it does not.
template <class F>
std::string message_of(F&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

}  // namespace fathom::ops::test

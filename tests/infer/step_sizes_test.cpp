// In what sizes a device takes a step.
#include "infer/step_sizes.h"

#include <gtest/gtest.h>

#include <utility>

namespace fathom::infer {
namespace {

constexpr Device a_gpu{DeviceType::cuda, 0};

TEST(StepSize, IsTheCountItselfOnACpu) {
  for (const std::int64_t count : {0, 1, 3, 9, 17, 511}) {
    EXPECT_EQ(step_size(cpu_device, count), count);
  }
}

// 12 lies between 8 and 16, and is no multiple of 8.
TEST(StepSize, IsOnAGpuTheLeastOfAFewSizesThatHoldsTheCount) {
  for (const auto& [count, size] :
       {std::pair{0, 0}, {1, 1},       {2, 2},       {3, 4},      {4, 4},   {5, 8},    {8, 8},
        {9, 16},         {12, 16},     {16, 16},     {17, 24},    {24, 24}, {25, 32},  {32, 32},
        {33, 48},        {48, 48},     {49, 64},     {65, 96},    {96, 96}, {97, 128}, {385, 512},
        {384, 384},      {2048, 2048}, {2049, 3072}, {3073, 4096}}) {
    EXPECT_EQ(step_size(a_gpu, count), size) << count;
  }
}

TEST(ContextSize, IsAPowerOf2From256OnAndNotMoreThanTheContext) {
  for (const auto& [tokens, size] :
       {std::pair{1, 256}, {256, 256}, {257, 512}, {512, 512}, {513, 1000}, {1000, 1000}}) {
    EXPECT_EQ(context_size(tokens, 1000), size) << tokens;
  }
  EXPECT_EQ(context_size(1, 64), 64);
  EXPECT_EQ(context_size(513, 1024), 1024);
}

}  // namespace
}  // namespace fathom::infer

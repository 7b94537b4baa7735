// What a process has once for all its runs.
#include "train/runtime.h"

#include <gtest/gtest.h>

#include <csignal>

#include "core/num_threads_scope.h"

namespace fathom {
namespace {

using Handler = void (*)(int);

Handler handler_of(int signal) {
  struct sigaction action {};
  sigaction(signal, nullptr, &action);
  return action.sa_handler;
}

// Two measurements never give the same digits.
TEST(Runtime, MeasuresThePeakOnceForADeviceATypeAndItsThreads) {
  Runtime runtime(Signals::untouched);
  const NumThreadsScope one(1);
  const double f32 = runtime.gemm_peak(cpu_device, DType::f32);
  EXPECT_GT(f32, 1e8);
  EXPECT_EQ(runtime.gemm_peak(cpu_device, DType::f32), f32);
  EXPECT_NE(runtime.gemm_peak(cpu_device, DType::bf16), f32);
  const NumThreadsScope two(2);
  EXPECT_NE(runtime.gemm_peak(cpu_device, DType::f32), f32);
}

TEST(Runtime, AKnownPeakIsNotMeasured) {
  Runtime runtime(Signals::untouched, 1e10);
  EXPECT_EQ(runtime.gemm_peak(cpu_device, DType::f32), 1e10);
}

TEST(Runtime, TakesSignalsOnlyWhenAskedTo) {
  const Handler before = handler_of(SIGTERM);
  {
    const Runtime runtime(Signals::untouched);
    EXPECT_EQ(handler_of(SIGTERM), before);
    EXPECT_EQ(runtime.stop_signal(), 0);
  }
  {
    const Runtime runtime;
    EXPECT_NE(handler_of(SIGTERM), before);
    EXPECT_EQ(runtime.stop_signal(), 0);
  }
  EXPECT_EQ(handler_of(SIGTERM), before);
}

}  // namespace
}  // namespace fathom

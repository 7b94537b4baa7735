// The handles and plans of cuBLASLt and cuDNN over the lives of many threads. In builds with CUDA
// alone.
#include "ops/cuda/libraries.h"

#include <gtest/gtest.h>

#include <barrier>
#include <thread>
#include <vector>

#include "core/stream.h"
#include "ops/attention_run.h"
#include "ops/matmul.h"

namespace fathom::ops {
namespace {

constexpr Device gpu{DeviceType::cuda, 0};

// Products and attention, forward and backward, in a context of the calling thread.
void compute() {
  AttentionRun run(gpu, DType::bf16, {{2, 2, 64}, {128, 128}});
  run.forward();
  run.backward();
  GuardedMatrix weight(run.context, DType::bf16, 64, 128), y(run.context, DType::bf16, 256, 64);
  linear(run.context, run.q_of(run.qkv), weight.view(), y.view());
  synchronize(gpu, run.context.stream);
}

TEST(Libraries, AreAsManyAsThreadsThatComputeAtOnceAndNotAsThreadsThatWere) {
  if (fathom::cuda::device_count() == 0) GTEST_SKIP() << "takes a GPU";
  for (int i = 0; i < 4; ++i) std::thread(compute).join();
  const int before = cuda::count_libraries(gpu.index);
  const std::size_t free = free_memory(gpu);
  for (int i = 0; i < 64; ++i) std::thread(compute).join();
  EXPECT_EQ(cuda::count_libraries(gpu.index), before);
  EXPECT_EQ(free_memory(gpu), free);
}

TEST(Libraries, AreOfOneContextAtATime) {
  if (fathom::cuda::device_count() == 0) GTEST_SKIP() << "takes a GPU";
  Context one(gpu, 0), other(gpu, 0);
  EXPECT_NE(&cuda::libraries_of(one), &cuda::libraries_of(other));
  const int made = cuda::count_libraries(gpu.index);
  const cuda::Libraries* const used = &cuda::libraries_of(one);
  one = Context(gpu, 0);
  EXPECT_EQ(&cuda::libraries_of(one), used);
  EXPECT_EQ(cuda::count_libraries(gpu.index), made);
  std::barrier start(3);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      start.arrive_and_wait();
      compute();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(cuda::count_libraries(gpu.index), made + 3);
}

// Attention, forward and backward several times over, on a stream of the calling thread.
std::vector<Doubles> attend() {
  AttentionRun run(gpu, DType::bf16, {{2, 1, 64}, {128, 128, 128}}, Rows::aligned);
  const OwnedStream stream(gpu);
  synchronize(gpu, run.context.stream);
  run.context.stream = stream.get();
  run.context.determinism = Determinism::reproducible;
  for (int i = 0; i < 20; ++i) {
    run.forward();
    run.backward();
  }
  synchronize(gpu, stream.get());
  return {run.out.get(), run.dqkv.get()};
}

// They share cuDNN's plans.
TEST(Libraries, GiveThreadsThatAttendAtOnceWhatEachGetsAlone) {
  if (fathom::cuda::device_count() == 0) GTEST_SKIP() << "takes a GPU";
  constexpr int count = 6;
  std::vector<std::vector<Doubles>> results(count);
  std::barrier start(count);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] {
      start.arrive_and_wait();
      result = attend();
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::vector<Doubles> alone = attend();
  for (const auto& result : results) EXPECT_EQ(result, alone);
}

}  // namespace
}  // namespace fathom::ops

#include "core/parallel.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

namespace fathom {
namespace {

TEST(Parallel, EveryIndexIsVisitedOnceInWholeGrains) {
  for (const int threads : {1, 2, 3, 7}) {
    set_num_threads(threads);
    for (const std::int64_t count : {0, 1, 5, 64, 1000}) {
      std::vector<int> visits(count);
      parallel_for(count, 8, [&](std::int64_t begin, std::int64_t end) {
        EXPECT_EQ(begin % 8, 0);
        for (auto i = begin; i < end; ++i) ++visits[i];
      });
      for (const int v : visits) EXPECT_EQ(v, 1);
    }
  }
  set_num_threads(2);
}

TEST(Parallel, AnExceptionReachesTheCaller) {
  set_num_threads(3);
  EXPECT_THROW(on_each_thread([](int thread, int) {
                 if (thread == 1) throw std::runtime_error("x");
               }),
               std::runtime_error);
  set_num_threads(2);
}

}  // namespace
}  // namespace fathom

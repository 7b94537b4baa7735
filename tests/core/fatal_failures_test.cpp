// How tests of ours fail (tests/fatal_failures.cpp): a failed ASSERT_* in a helper and an exception
// end their own test, and the others run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "core/child_test.h"

namespace fathom {
namespace {

using testing::HasSubstr;
using testing::Not;

void fail_in_a_helper() {
  ASSERT_TRUE(false) << "in the helper";
}

TEST(FailingChild, DISABLED_AssertsInAHelper) {
  fail_in_a_helper();
  ADD_FAILURE() << "went on";
}

TEST(FailingChild, DISABLED_Throws) {
  throw std::runtime_error("thrown in the body");
}

TEST(FailingChild, DISABLED_IsFine) {}

TEST(FatalFailures, EndTheirOwnTestAlone) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(pipe(ends), 0);
  const int status = test::run_disabled_tests("FailingChild.*", ends[1], ends[1]);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1) << status;
  EXPECT_THAT(test::read_available(ends[0]),
              testing::AllOf(HasSubstr("in the helper"), Not(HasSubstr("went on")),
                             HasSubstr("thrown in the body"), HasSubstr("2 FAILED TESTS"),
                             HasSubstr("[  PASSED  ] 1 test.")));
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace fathom

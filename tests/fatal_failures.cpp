// Makes a failed ASSERT_* in a helper function end the whole test, and no more than that.
// By itself GoogleTest only returns from the helper: the test would go on with what the
// helper did not make, and a crash there would take the rest of the executable with it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

namespace fathom::test {
namespace {

class EndsTheTest : public testing::EmptyTestEventListener {
 public:
  // Other threads and processes have nobody who would catch it; they only return. A failure
  // without a file is an exception that GoogleTest has caught: that test has ended already.
  void OnTestPartResult(const testing::TestPartResult& result) override {
    const bool catches = std::this_thread::get_id() == thread_ && getpid() == process_;
    const bool inside = result.file_name() != nullptr;
    if (result.fatally_failed() && catches && inside) throw testing::AssertionException(result);
  }

 private:
  const std::thread::id thread_ = std::this_thread::get_id();
  const pid_t process_ = getpid();
};

[[maybe_unused]] const bool registered = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new EndsTheTest);  // which owns it
  return true;
}();

}  // namespace
}  // namespace fathom::test

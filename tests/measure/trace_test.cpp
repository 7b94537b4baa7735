// Operations timed where they run: rows by name, means over calls and steps.
#include "measure/trace.h"

#include <gtest/gtest.h>

#include "core/context.h"

namespace fathom::measure {
namespace {

struct Traced {
  int calls = 0;
  OperationTrace trace{cpu_device, ModelConfig{}};
  Context context{cpu_device, 0};

  void observe(const std::string& name, std::vector<float>& values, std::int64_t count) {
    Operation operation;
    operation.name = name;
    operation.tensors = {Tensor(values.data(), DType::f32, {count})};
    operation.run = [this](Context&) { ++calls; };
    trace.observe(context, operation);
  }
};

TEST(OperationTrace, GivesRowsInTheOrderOfTheirFirstCallsWithMeans) {
  Traced run;
  std::vector<float> values(8);
  for (int step = 0; step < 3; ++step) {
    run.observe("first", values, 8);
    run.observe("second", values, 2);
    run.observe("second", values, 4);
    run.trace.end_step();
  }
  EXPECT_EQ(run.calls, 9) << "each is run once";
  const std::vector<OperationRow> rows = run.trace.rows();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].name, "first");
  EXPECT_EQ(rows[0].shape, "[8]");
  EXPECT_EQ(rows[0].count, 1) << "a step";
  EXPECT_EQ(rows[0].bytes, 32);
  EXPECT_EQ(rows[1].name, "second");
  EXPECT_EQ(rows[1].shape, "various");
  EXPECT_EQ(rows[1].count, 2);
  EXPECT_EQ(rows[1].bytes, (8 + 16) / 2.0) << "mean of a call";
  for (const OperationRow& row : rows) {
    EXPECT_EQ(row.bound, Bound::memory);
    EXPECT_GE(row.seconds, 0);
    EXPECT_EQ(row.total(), row.seconds * static_cast<double>(row.count));
  }
  EXPECT_GE(run.trace.gaps(), 0);
  rows[0].call(run.context);
  EXPECT_EQ(run.calls, 10) << "a row's operation can be run again";
}

}  // namespace
}  // namespace fathom::measure

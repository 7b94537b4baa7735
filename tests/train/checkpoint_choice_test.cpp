#include "train/checkpoint_choice.h"

#include <gmock/gmock.h>

#include <cmath>

#include "train/metric_names.h"

namespace fathom {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

MetricsRecord record(std::int64_t step, std::string_view name, double value) {
  MetricsRecord record{step, {}};
  record.add(name, value);
  return record;
}

TEST(MeasuredSteps, HaveBothFiguresAndACheckpoint) {
  const std::vector<MetricsRecord> records = {
      record(100, metric::validation_loss, 3),
      record(100, metric::repetition, 0.5),
      record(200, metric::validation_loss, 2),  // not measured
      record(300, metric::repetition, 0.1),     // not validated
      record(400, metric::validation_loss, 1.5),
      record(400, metric::repetition, 0.2),  // no checkpoint
      record(500, metric::validation_loss, NAN),
      record(500, metric::repetition, 0),
      record(600, metric::validation_loss, 1.25),
      record(600, metric::repetition, 0.25),
      record(600, metric::repetition, 0.125),  // the run was at its end already
  };
  const std::vector<std::int64_t> saved = {100, 200, 300, 500, 600};
  EXPECT_THAT(measured_steps(records, saved),
              ElementsAre(MeasuredStep{100, 3, 0.5}, MeasuredStep{600, 1.25, 0.125}));
  EXPECT_THAT(measured_steps(records, {}), IsEmpty());
}

std::int64_t picked(const std::vector<MeasuredStep>& steps, double limit) {
  return pick_checkpoint(steps, limit).value().step;
}

TEST(PickCheckpoint, TakesTheLowestLossWithinTheLimit) {
  const std::vector<MeasuredStep> steps = {{100, 3, 0.01}, {200, 2, 0.02}, {300, 1, 0.03}};
  EXPECT_EQ(picked(steps, 0.02), 200) << "the limit itself is allowed";
  EXPECT_EQ(picked(steps, 0.5), 300);
  EXPECT_EQ(picked(steps, 0.01), 100);
}

TEST(PickCheckpoint, TakesTheLowestRepetitionWhereNoneIsWithinTheLimit) {
  EXPECT_EQ(picked({{100, 1, 0.5}, {200, 3, 0.2}, {300, 2, 0.4}}, 0.1), 200);
}

TEST(PickCheckpoint, DecidesBetweenEquals) {
  EXPECT_EQ(picked({{100, 2, 0.5}, {200, 1, 0.5}, {300, 3, 0.5}}, 0.1), 200) << "by the loss";
  EXPECT_EQ(picked({{100, 1, 0.5}, {200, 1, 0.5}}, 0.1), 200) << "the later";
  EXPECT_EQ(picked({{100, 1, 0.05}, {200, 1, 0.01}, {300, 1, 0.1}}, 0.1), 300) << "the later";
}

TEST(PickCheckpoint, TakesNoneOfNone) {
  EXPECT_EQ(pick_checkpoint({}, 0.1), std::nullopt);
}

}  // namespace
}  // namespace fathom

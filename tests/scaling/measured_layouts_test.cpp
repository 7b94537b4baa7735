// Planned steps beside those that were measured on H200s (docs/performance.md).
#include <gmock/gmock.h>

#include "scaling/planned.h"

namespace fathom::test {
namespace {

using namespace scaling;

struct Measured {
  const char* layout;
  std::int64_t layers, micro_batch, batch;  // sequences
  double tokens_per_second;
};

double planned(const Measured& m, ModelConfig (*model)(std::int64_t)) {
  const FoundLayout found = look(planned_run(model(m.layers), m.batch),
                                 layout(m.layout, m.micro_batch), load_card("h200"));
  return static_cast<double>(found.plan.tokens_per_step) / found.time.seconds;
}

void expect_within(const Measured& m, double share, ModelConfig (*model)(std::int64_t) = model_7b) {
  const double tokens_per_second = planned(m, model);
  const double error = tokens_per_second / m.tokens_per_second - 1;
  EXPECT_LT(std::abs(error), share) << m.layout << " of " << m.layers << " blocks: planned "
                                    << tokens_per_second << ", measured " << m.tokens_per_second;
}

TEST(MeasuredLayouts, OneGpuIsPlannedWithinFivePercent) {
  expect_within({"1", 30, 2, 8, 14147}, 0.05);
  expect_within({"1", 10, 2, 4, 37524}, 0.05);
}

TEST(MeasuredLayouts, TenBlocksOfThe7bOnSeveralGpusWithinSevenPercent) {
  expect_within({"dp4", 10, 2, 16, 147623}, 0.07);
  expect_within({"dp4+nopeer", 10, 2, 16, 144534}, 0.07);
  expect_within({"tp2+sp+pieces2", 10, 2, 8, 68203}, 0.07);
  expect_within({"tp2+sp", 10, 2, 8, 67895}, 0.07);
  expect_within({"tp2+sp+nopeer", 10, 2, 8, 65315}, 0.07);
  expect_within({"pp4", 10, 2, 16, 117048}, 0.07);
}

const std::vector<Measured>& whole_7b() {  // the fastest first
  static const std::vector<Measured> all{
      {"pp2xdp2", 30, 1, 16, 49405},       {"dp2xtp2+sp+pieces2", 30, 2, 8, 48417},
      {"pp4", 30, 1, 16, 46965},           {"pp2xtp2+sp+pieces2", 30, 2, 8, 42373},
      {"tp4+sp+pieces2", 30, 2, 8, 42145},
  };
  return all;
}

TEST(MeasuredLayouts, TheWhole7bOnFourGpusWithinSevenPercent) {
  for (const Measured& m : whole_7b()) expect_within(m, 0.07);
}

TEST(MeasuredLayouts, TheOrderOfLayoutsIsTheMeasuredOne) {
  double before = 1e12;
  for (const Measured& m : whole_7b()) {
    const double now = planned(m, model_7b);
    EXPECT_LT(now, before) << m.layout;
    before = now;
  }
}

TEST(MeasuredLayouts, SixteenBlocksOfThe67bWithinSevenPercent) {
  expect_within({"tp4+sp+pieces2", 16, 1, 4, 26191}, 0.07, model_67b);
  expect_within({"pp2xtp2+sp+pieces2", 16, 1, 4, 25125}, 0.07, model_67b);
}

}  // namespace
}  // namespace fathom::test

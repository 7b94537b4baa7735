#include "report/samples.h"

#include <gtest/gtest.h>

#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::read_file;
using test::TempDir;
using test::write_file;

SamplePoint point_of(std::int64_t step) {
  return {step, {{"Once", fmt::format(" at step {}", step)}, {"从前", "\"\\\n\t\u2028</script>"}}};
}

std::vector<std::int64_t> steps_in(const std::string& path) {
  std::vector<std::int64_t> steps;
  for (const SamplePoint& point : read_samples(path)) steps.push_back(point.step);
  return steps;
}

TEST(Samples, ReadBackWhatWasWritten) {
  const TempDir dir;
  const std::string path = dir / "samples.jsonl";
  SampleLog log(path);
  log.write(point_of(3));
  log.write({4, {{"a", ""}}});
  log.sync();
  const std::vector<SamplePoint> points = read_samples(path);
  ASSERT_EQ(points.size(), 2u);
  EXPECT_EQ(points[0].step, 3);
  EXPECT_EQ(points[0].samples, point_of(3).samples);
  EXPECT_TRUE(read_file(path).ends_with(
      "{\"step\": 4, \"samples\": [{\"prompt\": \"a\", \"text\": \"\"}]}\n"));
}

TEST(Samples, ResumingCutsLaterPointsAndHalfLines) {
  const TempDir dir;
  const std::string path = dir / "samples.jsonl";
  {
    SampleLog log(path);
    for (const int step : {2, 4, 6}) log.write(point_of(step));
  }
  write_file(path, read_file(path) + "{\"step\": 8, \"sam");
  {
    SampleLog log(path, 5);
    log.write(point_of(7));
  }
  EXPECT_EQ(steps_in(path), (std::vector<std::int64_t>{2, 4, 7}));
  { SampleLog fresh(path); }
  EXPECT_EQ(read_file(path), "");
}

TEST(Samples, LinesThatAreNoPointAreLeftOut) {
  const TempDir dir;
  const std::string path = dir / "samples.jsonl";
  write_file(
      path,
      "{\"step\": 1}\nnothing\n{\"samples\": []}\n{\"step\": 2, \"samples\": [{\"prompt\": 1}]}\n"
      "{\"step\": 3, \"samples\": []}\n{\"step\": 4, \"samples\": []}");
  EXPECT_EQ(steps_in(path), (std::vector<std::int64_t>{3}));
}

}  // namespace
}  // namespace fathom

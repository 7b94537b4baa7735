// Whole runs on ranks: the trainer's losses, and checkpoints that open on any layout.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "core/error.h"
#include "data/sample_data.h"
#include "train/rank_config.h"
#include "train/trainer.h"

namespace fathom {
namespace {

using test::TempDir;

struct TrainLayout {
  int pp, dp, tp;
  bool sequence_parallel;
  PipelineSchedule schedule = PipelineSchedule::one_f_one_b;
  int virtual_stages = 1;

  int ranks() const { return pp * dp * tp; }
  std::string name() const { return fmt::format("pp {} dp {} tp {}", pp, dp, tp); }
};

TrainConfig config_of(const TempDir& dir, const std::string& output, const TrainLayout& layout,
                      int steps) {
  TrainConfig c = test::rank_config(dir, output, 4, 4);
  c.train.steps = steps;
  c.schedule.warmup_steps = 2;
  c.validation.every_steps = 0;
  c.checkpoint.every_steps = 5;
  c.checkpoint.keep_last = 10;
  c.parallel.pp = layout.pp;
  c.parallel.tp = layout.tp;
  c.parallel.sequence_parallel = layout.sequence_parallel;
  c.parallel.schedule = layout.schedule;
  c.parallel.virtual_stages = layout.virtual_stages;
  return c;
}

std::vector<double> losses_of(const std::string& output) {
  std::vector<double> losses;
  std::ifstream file(output + "/metrics.jsonl");
  const std::string key = "\"loss\":";
  for (std::string line; std::getline(file, line);) {
    const std::size_t at = line.find(key);
    if (at != std::string::npos) losses.push_back(std::stod(line.substr(at + key.size())));
  }
  return losses;
}

std::string file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

const std::vector<TrainLayout>& train_layouts() {
  static const std::vector<TrainLayout> all = {
      {1, 1, 1, false}, {2, 2, 2, true},
      {1, 4, 2, false}, {2, 1, 1, false, PipelineSchedule::interleaved, 2},
      {1, 1, 4, true},  {4, 2, 1, false, PipelineSchedule::gpipe},
  };
  return all;
}

void expect_near(const std::vector<double>& a, const std::vector<double>& b, std::size_t from) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = from; i < b.size(); ++i) EXPECT_NEAR(a[i] / b[i], 1, 1e-5) << "step " << i;
}

TEST(TrainOnRanks, EveryLayoutTrainsTheSameAndResumesEveryOther) {
  TempDir dir;
  test::sample_data(dir);
  const auto run = [&](const TrainLayout& layout, const std::string& output, int steps,
                       const std::string& resume) {
    Runtime runtime(Signals::stop_runs, 1e10);
    TrainOptions options;
    options.ranks = layout.ranks();
    options.run.resume = resume;
    EXPECT_EQ(train(runtime, config_of(dir, output, layout, steps), options), 0);
    return losses_of(dir / output);
  };
  const std::vector<double> one = run(train_layouts()[0], "one", 10, "none");
  ASSERT_EQ(one.size(), 10u);
  for (std::size_t i = 1; i < train_layouts().size(); ++i) {
    SCOPED_TRACE(train_layouts()[i].name());
    const std::string output = fmt::format("run{}", i);
    expect_near(run(train_layouts()[i], output, 10, "none"), one, 0);
    EXPECT_FALSE(file_bytes(dir / output + "/model/model.safetensors").empty());
    // From this layout's checkpoint of step 5, the next layout goes on, and this one
    // itself to the same bits.
    const std::string checkpoint = dir / output + "/checkpoints/step-00000005";
    const TrainLayout& next = train_layouts()[(i + 1) % train_layouts().size()];
    const std::vector<double> other = run(next, output + "-other", 10, checkpoint);
    ASSERT_EQ(other.size(), 5u) << next.name();
    expect_near(other, {one.begin() + 5, one.end()}, 0);
    run(train_layouts()[i], output + "-same", 10, checkpoint);
    EXPECT_TRUE(file_bytes(dir / output + "/model/model.safetensors") ==
                file_bytes(dir / output + "-same/model/model.safetensors"));
  }
}

// Each rank rounds its own part with a scale of its own, so the losses differ by what rounding does.
TEST(TrainOnRanks, EveryLayoutTrainsNearlyTheSameInFp8) {
  TempDir dir;
  test::sample_data(dir);
  const auto run = [&](const TrainLayout& layout, const std::string& output, Products precision) {
    TrainConfig config = config_of(dir, output, layout, 5);
    config.precision = precision;
    config.model.intermediate_size = 64;  // two ranks have multiples of 16
    Runtime runtime(Signals::stop_runs, 1e10);
    TrainOptions options;
    options.ranks = layout.ranks();
    EXPECT_EQ(train(runtime, config, options), 0);
    return losses_of(dir / output);
  };
  const std::vector<double> exact = run({1, 1, 1, false}, "exact", Products::dtype);
  const std::vector<double> one = run({1, 1, 1, false}, "one", Products::fp8);
  ASSERT_EQ(one.size(), exact.size());
  const auto expect_near = [](const std::vector<double>& a, const std::vector<double>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i] / b[i], 1, 0.01) << "step " << i;
  };
  EXPECT_NE(one, exact);
  expect_near(one, exact);
  for (const TrainLayout& layout : {TrainLayout{2, 2, 2, true}, {1, 1, 2, false}}) {
    SCOPED_TRACE(layout.name());
    expect_near(run(layout, "run" + layout.name(), Products::fp8), one);
  }
}

TEST(TrainOnRanks, ALayoutThatDoesNotFitIsRefusedBeforeAnyWork) {
  TempDir dir;
  test::sample_data(dir);
  Runtime runtime;
  TrainOptions options;
  options.ranks = 3;
  try {
    train(runtime, config_of(dir, "run", {2, 1, 1, false}, 1), options);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_NE(std::string(error.what())
                  .find("parallel.pp (2) times parallel.tp (1) does not "
                        "divide the 3 ranks"),
              std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace fathom

// The loop of a run against its parts: the steps that a learner takes by hand, and what is
// recorded of them.
#include <gmock/gmock.h>

#include <cstring>

#include "data/sampler.h"
#include "learn/device_batch.h"
#include "train/machine.h"
#include "train/small_run.h"

namespace fathom {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::Pair;

// Adam corrects its bias by the step's number, so the first steps show which one it was given.
TEST(TrainingRun, TakesTheStepsOfALearner) {
  const TempDir dir;
  prepare(dir);
  TrainConfig config = tiny(dir, "run");
  config.train.steps = 2;
  config.train.micro_batch = 2;
  config.schedule.warmup_steps = 4;
  config.schedule.max_warmup = 1;
  config.schedule.milestones = {};
  config.schedule.factors = {};
  ASSERT_EQ(run(config), 0);

  const auto data = std::make_shared<const PreparedData>(open_prepared(dir / "out"));
  const Sampler sampler(data, config.train.sequence_length, 1);
  const TrainPlan plan = resolve(config, facts_of(*data, config.data));
  const OneRank rank(plan.config.model);
  Learner learner(learner_options(plan, rank.groups));
  learner.initialize_weights(1);
  const OwnedStream uploads(cpu_device);
  std::vector<DeviceBatch> memory;
  for (int m = 0; m < 2; ++m) memory.emplace_back(uploads, 2 * config.train.sequence_length);
  const auto losses = metric_of(config, metric::loss), norms = metric_of(config, "gradient_norm");
  const double rates[] = {1e-2 / 4, 1e-2 / 2};
  for (int step = 0; step < 2; ++step) {
    std::vector<MicroBatch> micro_batches;
    for (int m = 0; m < 2; ++m) {
      Batch batch;
      sampler.fill(4 * step + 2 * m, 2, batch);
      micro_batches.push_back(memory[std::size_t(m)].upload(learner.context(), batch));
    }
    const auto result = learner.compute_gradients(micro_batches, 4 * config.train.sequence_length);
    EXPECT_EQ(losses[std::size_t(step)], std::pair(std::int64_t{step + 1}, result.loss));
    EXPECT_EQ(norms[std::size_t(step)].second, result.gradient_norm);
    learner.update(rates[step], step + 1);
  }
  EXPECT_THAT(metric_of(config, metric::learning_rate),
              ElementsAre(Pair(1, rates[0]), Pair(2, rates[1])));
  auto saved = tensors_of(checkpoint_of(config, 2));
  for (const CheckpointTensor& tensor : learner.checkpoint_tensors()) {
    const std::string& bytes = saved.at(std::string(name_of(tensor.kind)) + "/" + tensor.name);
    ASSERT_EQ(bytes.size(), tensor.values.bytes());
    EXPECT_EQ(std::memcmp(bytes.data(), tensor.values.data, bytes.size()), 0) << tensor.name;
  }
}

TEST(TrainingRun, ATraceThatCannotBeWrittenEndsTheRunBeforeItsFirstStep) {
  const TempDir dir;
  prepare(dir);
  const TrainConfig config = tiny(dir, "run");
  write_file(config.output + "/trace", "no directory");
  Runtime runtime(Signals::stop_runs, gemm_peak);
  TrainOptions options;
  options.run.trace = true;
  EXPECT_THAT(input_error_of([&] { train(runtime, config, options); }),
              testing::HasSubstr("run/trace: cannot create this directory: "));
  EXPECT_FALSE(std::filesystem::exists(config.output + "/config.toml"));
  EXPECT_FALSE(std::filesystem::exists(config.output + "/metrics.jsonl"));
}

TEST(TrainingRun, RecordsWhereItIsAfterEachStep) {
  const TempDir dir;
  prepare(dir);
  TrainConfig config = tiny(dir, "run");
  ASSERT_EQ(run(config), 0);
  const auto tokens = metric_of(config, metric::tokens);
  ASSERT_EQ(std::ssize(tokens), total_steps);
  for (std::int64_t i = 0; i < total_steps; ++i) {
    EXPECT_THAT(tokens[std::size_t(i)], Pair(i + 1, (i + 1) * 4 * 24));
  }
  const auto seconds = metric_of(config, metric::seconds);
  const auto rates = metric_of(config, metric::tokens_per_second);
  const auto step_seconds = metric_of(config, metric::step_seconds);
  const auto shares = metric_of(config, metric::share_of_peak);
  const TrainPlan plan = resolve(config, {256, 1000});
  const double flops = train_flops_per_token(plan.config.model, config.train.sequence_length);
  double before = 0, sum = 0;
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    EXPECT_GT(seconds[i].second, before);
    before = seconds[i].second;
    EXPECT_NEAR(rates[i].second * step_seconds[i].second, 4 * 24, 1e-9);
    sum += step_seconds[i].second;
    EXPECT_NEAR(shares[i].second / rates[i].second, flops / gemm_peak, 1e-9 * flops / gemm_peak);
  }
  EXPECT_LE(sum, before) << "steps and what is between them";
}

TEST(TrainingRun, EvaluatesAtMultiplesAndAtTheEnd) {
  const TempDir dir;
  prepare(dir);
  TrainConfig config = tiny(dir, "run");
  config.train.steps = 10;
  const auto steps = [&] {
    std::vector<std::int64_t> all;
    for (const auto& [step, loss] : metric_of(config, metric::validation_loss)) {
      all.push_back(step);
    }
    return all;
  };
  ASSERT_EQ(run(config), 0);
  EXPECT_THAT(steps(), ElementsAre(4, 8, 10));
  config.output = dir / "multiple";
  config.train.steps = 8;
  ASSERT_EQ(run(config), 0);
  EXPECT_THAT(steps(), ElementsAre(4, 8)) << "once at the end";
  config.output = dir / "end";
  config.validation.every_steps = 0;
  ASSERT_EQ(run(config), 0);
  EXPECT_THAT(steps(), ElementsAre(8));
}

}  // namespace
}  // namespace fathom

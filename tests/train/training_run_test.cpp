// The loop of a run against its parts: the steps that a learner takes by hand, and what is
// recorded of them.
#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <thread>

#include "core/num_threads_scope.h"
#include "data/sampler.h"
#include "learn/device_batch.h"
#include "train/rank_options.h"
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
  const NumThreadsScope threads(plan.threads);  // the run's: sums have its order
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

// So touchy a guard takes some step for a spike; what was trained until then is saved.
TEST(TrainingRun, EndsWhereTheGuardStopsIt) {
  const TempDir dir;
  prepare(dir);
  TrainConfig config = tiny(dir, "run");
  config.guard = {GuardAction::stop, GuardAction::skip, 0.01, 2, 1, 1000};
  const std::string message = runtime_error_of([&] { run(config); });
  const auto losses = metric_of(config, metric::loss);
  ASSERT_FALSE(losses.empty());
  ASSERT_LT(std::ssize(losses), total_steps);
  const std::int64_t last = losses.back().first;
  EXPECT_THAT(message, testing::StartsWith(fmt::format(
                           "stopped by the guard at step {0}: step {0}: loss {1:.4f} lies more "
                           "than 0.01 standard deviations above",
                           last, losses.back().second)));
  EXPECT_THAT(message, testing::HasSubstr(fmt::format(", samples {} to {}; training stops",
                                                      4 * (last - 1), 4 * last - 1)));
  EXPECT_THAT(checkpoint_steps(config.output + "/checkpoints"), testing::Contains(last));
}

// The same touchy guard, that skips: the model is not the one of a run that takes every step.
TEST(TrainingRun, ASkippedStepChangesNoWeights) {
  const TempDir dir;
  prepare(dir);
  TrainConfig every = tiny(dir, "every"), few = tiny(dir, "few");
  every.schedule.peak = few.schedule.peak = 3e-3;
  every.guard = {GuardAction::ignore, GuardAction::ignore, 0.01, 2, 1, 1000};
  few.guard = {GuardAction::skip, GuardAction::skip, 0.01, 2, 1, 1000};
  for (const TrainConfig* config : {&every, &few}) ASSERT_EQ(run(*config), 0);
  const Checkpoint last(checkpoint_of(few, total_steps));
  const std::int64_t skipped = last.state().guard.value().skipped;
  ASSERT_GT(skipped, 0);
  ASSERT_LT(skipped, total_steps);
  EXPECT_NE(read_file(every.output + "/model/model.safetensors"),
            read_file(few.output + "/model/model.safetensors"));
}

int run_traced(const TrainConfig& config) {
  Runtime runtime(Signals::stop_runs, gemm_peak);
  TrainOptions options;
  options.run.trace = true;
  return train(runtime, config, options);
}

// Ten steps after two, or as many as the run has; its results are those of a run without.
TEST(TrainingRun, TracesStepsWhereItIsAskedTo) {
  const TempDir dir;
  prepare(dir);
  TrainConfig config = tiny(dir, "run"), traced = tiny(dir, "traced");
  ASSERT_EQ(run(config), 0);
  EXPECT_FALSE(std::filesystem::exists(config.output + "/trace"));
  testing::internal::CaptureStderr();
  ASSERT_EQ(run_traced(traced), 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("trace of 10 steps in " + traced.output + "/trace: compute "));
  EXPECT_EQ(tensors_of(checkpoint_of(traced, total_steps)),
            tensors_of(checkpoint_of(config, total_steps)));
  const std::string trace = read_file(traced.output + "/trace/trace.json");
  for (const char* span : {"\"step\"", "\"F 0\"", "\"B 0\"", "\"update\""}) {
    EXPECT_THAT(trace, testing::HasSubstr(span));
  }
  config.output = dir / "short";
  config.train.steps = 5;
  testing::internal::CaptureStderr();
  ASSERT_EQ(run_traced(config), 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("trace of 3 steps in "));
}

// A signal that has come before the first step ends the run after it, with a checkpoint.
TEST(TrainingRun, EndsAtASignalAndGoesOnFromThere) {
  const TempDir dir;
  prepare(dir);
  const TrainConfig whole = tiny(dir, "whole"), cut = tiny(dir, "cut");
  ASSERT_EQ(run(whole), 0);
  {
    Runtime runtime(Signals::stop_runs, gemm_peak);
    ASSERT_EQ(kill(getpid(), SIGTERM), 0);
    while (runtime.stop_signal() == 0) std::this_thread::yield();  // in a thread of its own
    testing::internal::CaptureStderr();
    EXPECT_EQ(train(runtime, cut, {}), SIGTERM);
    EXPECT_THAT(testing::internal::GetCapturedStderr(),
                testing::HasSubstr("stopped by a signal after step 1; the same command goes on"));
  }
  EXPECT_THAT(checkpoint_steps(cut.output + "/checkpoints"), ElementsAre(1));
  EXPECT_FALSE(std::filesystem::exists(cut.output + "/model")) << "not at its end";
  ASSERT_EQ(run(cut), 0);
  EXPECT_EQ(tensors_of(checkpoint_of(cut, total_steps)),
            tensors_of(checkpoint_of(whole, total_steps)));
}

TEST(TrainingRun, BeginsWithTheWeightsOfItsOwnModelAlone) {
  const TempDir dir;
  prepare(dir);
  TrainConfig first = tiny(dir, "first"), second = tiny(dir, "second");
  first.train.steps = second.train.steps = 1;
  ASSERT_EQ(run(first), 0);
  second.init_from = checkpoint_of(first, 1);
  testing::internal::CaptureStderr();
  ASSERT_EQ(run(second), 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("beginning with the weights of " + second.init_from));
  EXPECT_NE(metric_of(second, metric::loss), metric_of(first, metric::loss));
  second.output = dir / "third";
  second.model.hidden_size = 64;
  EXPECT_THAT(input_error_of([&] { run(second); }),
              testing::HasSubstr("its model.hidden_size is 32, the config's 64"));
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

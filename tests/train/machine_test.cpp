// The memory that a run plans, against the parts that take it.
#include "train/machine.h"

#include <gmock/gmock.h>

#include "comm/thread_ranks.h"
#include "core/progress.h"
#include "io/temp_dir.h"
#include "learn/device_batch.h"
#include "train/rank_config.h"
#include "train/rank_options.h"

namespace fathom {
namespace {

using test::TempDir;
using testing::HasSubstr;
using testing::Not;

TrainConfig config_with(const TempDir& dir, std::int64_t micro_batch) {
  TrainConfig config = test::rank_config(dir, "run", 2, 4);
  config.train.micro_batch = micro_batch;
  return config;
}

TrainPlan plan_with(const TempDir& dir, std::int64_t micro_batch) {
  return resolve(config_with(dir, micro_batch), {256, 10000});
}

TEST(PlanMemory, OfACpuIsAllThatALearnerAndItsBatchesTake) {
  const TempDir dir;
  TrainPlan plan = plan_with(dir, 2);
  const OneRank rank(plan.config.model);
  const Learner::Bytes bytes = Learner::bytes(learner_options(plan, rank.groups));
  const std::size_t batches = 4u * DeviceBatch::bytes(cpu_device, 2 * 16);
  const auto planned = [&] {
    const MemoryTable table = plan_memory(plan, rank.groups);
    EXPECT_EQ(table.host_total(), 0u) << "the host is the device";
    return table.device_total() - table.process_total();
  };
  EXPECT_GT(bytes.checkpoint, 0u);
  EXPECT_EQ(planned(), bytes.device_total() + batches + bytes.checkpoint);
  const MemoryTable table = plan_memory(plan, rank.groups);
  EXPECT_GT(table.process_total(), std::size_t{8} << 20) << "what is there, and oneDNN's kernels";
  for (const char* row :
       {"weights", "gradients (f32)", "moments (f32)", "activations", "workspace", "rotary table",
        "losses", "batches", "checkpoint snapshot", "program and libraries"}) {
    EXPECT_THAT(table.text(), HasSubstr(std::string("\n  ") + row + " "));
  }
  for (const char* row : {"page-locked", "exchanges", "  libraries", "masters"}) {
    EXPECT_THAT(table.text(), Not(HasSubstr(row)));
  }
  plan.config.checkpoint.enabled = false;
  EXPECT_EQ(planned(), bytes.device_total() + batches);
}

TEST(LearnerOptions, FollowFromThePlan) {
  const TempDir dir;
  TrainConfig config = config_with(dir, 2);
  config.validation.sample_tokens = 4;
  config.validation.sample_prompts = {"a", "b", "c"};
  for (const bool within : {false, true}) {
    config.deterministic = within;
    const TrainPlan plan = resolve(config, {256, 10000, !within});
    const OneRank rank(plan.config.model);
    const LearnerOptions options = learner_options(plan, rank.groups);
    EXPECT_EQ(options.micro_tokens, 32);
    EXPECT_EQ(options.tokens_per_step, 128);
    EXPECT_EQ(options.sequence_length, 16);
    EXPECT_EQ(options.logit_rows, 3);
    EXPECT_EQ(options.uniform_segments, !within);
    EXPECT_EQ(options.determinism, within ? Determinism::reproducible : Determinism::fastest);
  }
}

// The first rank measures for all.
TEST(ExamineMachine, ThePeakIsThatOfAllRanks) {
  const TempDir dir;
  const TrainPlan plan = resolve(config_with(dir, 1), {256, 10000}, 2);
  Runtime runtime(Signals::untouched, 1e10);
  std::vector<Machine> machines(2);
  testing::internal::CaptureStderr();
  run_thread_ranks(2, {60}, [&](Communicator& world) {
    const RankGroups ranks(world, plan.parallel, plan.config.model);
    machines[std::size_t(world.rank())] = examine_machine(runtime, plan, ranks);
  });
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(machines[0].gemm_peak, 2e10);
  EXPECT_EQ(machines[1].gemm_peak, 0) << "not asked";
  EXPECT_THAT(machines[0].memory_table, HasSubstr("memory of cpu"));
  EXPECT_THAT(log,
              HasSubstr("4 micro-batches of 1 sequences a step and rank, recompute selective"));
  EXPECT_THAT(log, HasSubstr("of the first rank: memory of cpu"));
  EXPECT_THAT(log, Not(HasSubstr("training tokens")));
  EXPECT_THAT(log, HasSubstr("GEMM peak of this machine in f32: 20.0 GFLOP/s"));
}

TEST(ExamineMachine, SaysHowOftenTheTextIsRead) {
  const TempDir dir;
  TrainPlan plan = plan_with(dir, 2);
  plan.epoch_tokens = plan.last_step({}) * plan.tokens_per_step / 4;
  const OneRank rank(plan.config.model);
  Runtime runtime(Signals::untouched, 1e10);
  testing::internal::CaptureStderr();
  examine_machine(runtime, plan, rank.groups);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("training tokens 4.0 times"));
}

TEST(ExamineMachine, RefusesARunThatDoesNotFit) {
  const TempDir dir;
  TrainConfig config = config_with(dir, 1);
  config.model.num_layers = 100;
  config.model.hidden_size = 1 << 15;
  config.model.intermediate_size = 1 << 17;
  const TrainPlan plan = resolve(config, {256, 10000});
  const OneRank rank(plan.config.model);
  Runtime runtime(Signals::untouched, 1e10);
  testing::internal::CaptureStderr();
  EXPECT_THAT(test::input_error_of([&] { examine_machine(runtime, plan, rank.groups); }),
              testing::AllOf(HasSubstr("this run needs"), HasSubstr("of host memory")));
  testing::internal::GetCapturedStderr();
}

TEST(MemoryTable, IsWrittenRowByRow) {
  MemoryTable table({DeviceType::cuda, 0});
  table.add("weights", 3000);
  table.add("moments", 1000);
  table.add_host("snapshot", 500);
  table.add_process("program", 1000);
  table.add_process("libraries", 500);
  EXPECT_EQ(table.device_total(), 4000u);
  EXPECT_EQ(table.host_total(), 2000u);
  EXPECT_EQ(table.process_total(), 1500u);
  const std::string heading = "memory of cuda:0" + std::string(28, ' ');
  const auto row = [](const std::string& name, const std::string& size, const std::string& share) {
    return fmt::format("  {:<42} {:>10}{}\n", name, size, share.empty() ? "" : " " + share);
  };
  EXPECT_EQ(table.text(), heading + "       size   share\n" + row("weights", "3.00 kB", " 75.0 %") +
                              row("moments", "1.00 kB", " 25.0 %") + row("total", "4.00 kB", "") +
                              "memory of the host" + std::string(26, ' ') +
                              "       size   share\n" + row("snapshot", "500 B", " 25.0 %") +
                              row("program", "1.00 kB", " 50.0 %") +
                              row("libraries", "500 B", " 25.0 %") + row("total", "2.00 kB", ""));
}

TEST(MemoryTable, OfNothingHasNoRows) {
  MemoryTable table({DeviceType::cuda, 1});
  table.add("weights", 0);
  table.add_host("snapshot", 0);
  EXPECT_THAT(table.text(), testing::StartsWith("memory of cuda:1 "));
  EXPECT_THAT(table.text(), Not(HasSubstr("weights")));
  EXPECT_THAT(table.text(), Not(HasSubstr("host")));
}

}  // namespace
}  // namespace fathom

// The memory that a run plans, against the parts that take it.
#include "train/machine.h"

#include <gmock/gmock.h>
#include <sys/mman.h>

#include <cstring>

#include "comm/thread_ranks.h"
#include "core/progress.h"
#include "io/temp_dir.h"
#include "learn/device_batch.h"
#include "train/benchmarks.h"
#include "train/rank_config.h"
#include "train/rank_options.h"
#include "train/repetition_meter.h"

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
  // One pass ends with a whole step, which is no repetition.
  plan.max_steps = 104;
  plan.epoch_tokens = 100 * plan.tokens_per_step;
  const auto told = [&] {
    testing::internal::CaptureStderr();
    examine_machine(runtime, plan, rank.groups);
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(told(), Not(HasSubstr("training tokens")));
  plan.max_steps = 105;
  EXPECT_THAT(told(), HasSubstr("training tokens 1.1 times"));  // 1.05 in full
}

// What is drawn at once decides how many rows of logits the learner has.
TEST(LearnerOptions, HaveTheLogitsOfWhicheverDrawsMost) {
  const TempDir dir;
  TrainConfig config = config_with(dir, 2);
  config.parallel.tp = 2;
  config.validation.sample_tokens = 4;
  config.validation.sample_prompts = {"a", "b", "c"};
  config.repetition.prompts = {"a"};
  config.eval.data = "d";
  const auto rows = [&](std::int64_t meter, std::int64_t benchmarks) {
    config.repetition.batch = meter;
    config.eval.batch = benchmarks;
    config.eval.tasks = {"t"};
    const TrainPlan plan = resolve(config, {256, 10000}, 2);
    EXPECT_EQ(benchmark_logit_rows(plan), benchmarks);
    EXPECT_EQ(RepetitionMeter::logit_rows(plan), meter);
    EXPECT_EQ(benchmark_bytes(plan).device, 0u) << "the learner's own memory";
    std::int64_t found = 0;
    run_thread_ranks(2, {60}, [&](Communicator& world) {
      const RankGroups groups(world, plan.parallel, plan.config.model);
      if (world.rank() == 0) found = learner_options(plan, groups).logit_rows;
    });
    return found;
  };
  EXPECT_EQ(rows(1, 2), 3);
  EXPECT_EQ(rows(5, 2), 5);
  EXPECT_EQ(rows(1, 7), 7);
  config.parallel.tp = 1;
  const TrainPlan alone = resolve(config, {256, 10000});
  EXPECT_EQ(benchmark_logit_rows(alone), 0) << "an engine has its own";
  EXPECT_EQ(RepetitionMeter::logit_rows(alone), 0);
  EXPECT_EQ(learner_options(alone, OneRank(alone.config.model).groups).logit_rows, 3);
}

TEST(LoaderOptions, GiveEachReplicaItsSamples) {
  const TempDir dir;
  TrainConfig config = config_with(dir, 2);
  config.data.prefetch = 5;
  config.parallel.tp = 2;
  const TrainPlan plan = resolve(config, {256, 10000}, 4);
  std::vector<LoaderOptions> all(4);
  run_thread_ranks(4, {60}, [&](Communicator& world) {
    const RankGroups groups(world, plan.parallel, plan.config.model);
    all[std::size_t(world.rank())] = loader_options(plan, groups);
  });
  for (int rank = 0; rank < 4; ++rank) {
    const LoaderOptions& options = all[std::size_t(rank)];
    EXPECT_EQ(options.batch_size, 2);
    EXPECT_EQ(options.rank, rank / 2) << "ranks of a tensor group read the same";
    EXPECT_EQ(options.ranks, 2);
    EXPECT_EQ(options.prefetch, 5);
  }
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

// Memory that was written and given back is in the peak alone.
TEST(ProcessMemory, HasThePresentThePeakAndTheMappedFiles) {
  constexpr std::size_t mib = std::size_t{1} << 20;
  const ProcessMemory before = ProcessMemory::now();
  EXPECT_GT(before.resident, mib);
  EXPECT_GE(before.peak_resident, before.resident);
  EXPECT_GT(before.mapped_files, 0u);
  EXPECT_LT(before.mapped_files, before.resident);
  std::size_t bytes = 64 * mib;
  while (before.resident + bytes < before.peak_resident + 32 * mib) bytes += 64 * mib;
  void* const block =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(block, MAP_FAILED);
  std::memset(block, 1, bytes);
  const ProcessMemory with = ProcessMemory::now();
  munmap(block, bytes);
  const ProcessMemory after = ProcessMemory::now();
  EXPECT_GT(with.resident, before.resident + bytes - 8 * mib);
  EXPECT_LT(after.resident, with.resident - bytes + 8 * mib);
  EXPECT_GT(after.peak_resident, with.resident - 8 * mib);
  EXPECT_GT(available_host_memory(), 0u);
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

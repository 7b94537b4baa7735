// When a run asks its benchmarks, and what is left of a round that a signal has stopped.
#include "train/benchmark_rounds.h"

#include <gmock/gmock.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "train/machine.h"
#include "train/small_run.h"

namespace fathom {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::HasSubstr;

// Notes what it is asked, "first" and "second". One of these may be interrupted, or each "fails".
class NotedBenchmarks : public Benchmarks {
 public:
  NotedBenchmarks(std::vector<std::string>& asked, std::string interrupted,
                  std::chrono::milliseconds takes)
      : asked_(asked), interrupted_(std::move(interrupted)), takes_(takes) {}
  const std::vector<std::string>& tasks() const override { return names_; }
  void start(Learner&, DeviceBatch&) override { started_ = true; }
  std::optional<BenchmarkScore> ask(std::size_t task, Learner&, DeviceBatch&,
                                    const std::function<bool()>& stopped) override {
    EXPECT_TRUE(started_);
    asked_.push_back(names_[task]);
    std::this_thread::sleep_for(takes_);
    if (interrupted_ == "fails") fail_runtime("a task that fails");
    if (names_[task] == interrupted_) {
      EXPECT_EQ(kill(getpid(), SIGTERM), 0);
      while (!stopped()) std::this_thread::yield();
      return std::nullopt;
    }
    return BenchmarkScore{names_[task], "acc", 0.25, 0.1, 7};
  }

 private:
  std::vector<std::string>& asked_;
  std::string interrupted_;
  std::chrono::milliseconds takes_;
  bool started_ = false;
  std::vector<std::string> names_{"first", "second"};
};

struct RunOf {
  explicit RunOf(const TempDir& dir) : config(tiny(dir, "run")) {
    prepare(dir);
    config.validation.every_steps = 0;
    config.eval.tasks = {"any"};
    config.eval.data = dir / "data";
    config.eval.every_steps = 5;
  }
  int operator()(const std::string& interrupted = "") {
    asked.clear();
    Runtime runtime(Signals::stop_runs, gemm_peak);
    TrainOptions options;
    options.benchmarks = [&](const TrainPlan&, const RankGroups&, const RunTokenizer&) {
      return std::make_unique<NotedBenchmarks>(asked, interrupted, takes);
    };
    return train(runtime, config, options);
  }

  TrainConfig config;
  std::vector<std::string> asked;
  std::chrono::milliseconds takes{0};  // a task
};

TEST(BenchmarkRounds, AreAtTheirStepsAndTheEnd) {
  const TempDir dir;
  RunOf run(dir);
  run.config.eval.steps = {0, 3, 5, 12, 13};
  testing::internal::CaptureStderr();
  ASSERT_EQ(run(), 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::AllOf(HasSubstr("step 3: second acc 0.2500 ± 0.1000, of 7 items"),
                             HasSubstr("eval.steps holds 13, and the run ends at step 12"),
                             testing::Not(HasSubstr("eval.steps holds 12"))));
  std::vector<std::int64_t> steps;
  for (const auto& [step, value] : metric_of(run.config, "eval/second/acc")) steps.push_back(step);
  EXPECT_THAT(steps, ElementsAre(0, 3, 5, 10, 12));
  EXPECT_EQ(metric_of(run.config, "eval/first/acc_stderr").size(), 5u);
  EXPECT_THAT(read_file(run.config.output + "/report.html"), HasSubstr("second acc"));
}

// Neither is the first task asked again, nor the second left out.
TEST(BenchmarkRounds, GoOnWhereASignalStoppedThem) {
  const TempDir dir;
  RunOf run(dir);
  ASSERT_EQ(run("second"), SIGTERM);
  EXPECT_THAT(run.asked, ElementsAre("first", "second"));
  ASSERT_EQ(run("second"), SIGTERM);
  EXPECT_THAT(run.asked, ElementsAre("second"));
  ASSERT_EQ(run(), 0);
  EXPECT_THAT(run.asked, ElementsAre("second", "first", "second", "first", "second"));
  EXPECT_THAT(metric_of(run.config, "eval/first/acc"),
              ElementsAre(std::pair(5l, 0.25), std::pair(10l, 0.25), std::pair(12l, 0.25)));
  EXPECT_EQ(metric_of(run.config, "eval/second/acc").size(), 3u);
}

TEST(BenchmarkRounds, OfTheEndAreLeftToTheNextStart) {
  const TempDir dir;
  RunOf run(dir);
  run.config.eval.every_steps = 0;
  ASSERT_EQ(run("first"), SIGTERM);
  EXPECT_FALSE(std::filesystem::exists(run.config.output + "/model"));
  ASSERT_EQ(run(), 0);
  EXPECT_THAT(run.asked, ElementsAre("first", "second"));
  EXPECT_TRUE(std::filesystem::exists(run.config.output + "/model"));
  ASSERT_EQ(run(), 0);
  EXPECT_THAT(run.asked, ElementsAre());
}

TEST(BenchmarkRounds, ThatFailCostNoStep) {
  const TempDir dir;
  RunOf run(dir);
  for (const std::int64_t step : {5, 10, 12}) {
    EXPECT_THROW(run("fails"), Error);
    EXPECT_TRUE(std::filesystem::exists(checkpoint_of(run.config, step))) << step;
    EXPECT_FALSE(std::filesystem::exists(checkpoint_of(run.config, step + 1)));
    run.config.eval.every_steps = step == 5 ? 10 : 0;  // leave out the one that failed
  }
  ASSERT_EQ(run(), 0);
  EXPECT_THAT(run.asked, ElementsAre("first", "second"));
}

TEST(BenchmarkRounds, BeforeTheFirstStepLeaveNothingToGoOnFrom) {
  const TempDir dir;
  RunOf run(dir);
  run.config.eval.steps = {0};
  EXPECT_THROW(run("first"), Error);
  ASSERT_EQ(run(), 0);
  EXPECT_EQ(metric_of(run.config, "eval/first/acc").front().first, 0);
}

TEST(BenchmarkRounds, LeaveTheRunsTimeToTheTraining) {
  const TempDir dir;
  RunOf run(dir);
  run.config.eval.steps = {0};
  run.config.eval.every_steps = 0;
  run.config.train.max_minutes = 0.02;
  run.takes = std::chrono::milliseconds(700);
  ASSERT_EQ(run(), 0);
  const auto losses = metric_of(run.config, metric::loss);
  ASSERT_FALSE(losses.empty());
  EXPECT_EQ(metric_of(run.config, "eval/first/acc").back().first, losses.back().first);
}

TEST(Benchmarks, RefuseKeysWithoutEffect) {
  const TempDir dir;
  RunOf run(dir);
  const DataFacts facts = facts_of(open_prepared(dir / "out"), run.config.data);
  const auto refused = [&](auto&& change) {
    TrainConfig config = run.config;
    change(config.eval);
    return input_error_of([&] { benchmark_bytes(resolve(config, facts)); });
  };
  EXPECT_EQ(refused([](auto&) {}), "no error");
  EXPECT_EQ(refused([](auto& c) { c = {}; }), "no error");
  EXPECT_THAT(refused([](auto& c) { c.tasks.clear(); }), HasSubstr("[eval] has keys but no tasks"));
  EXPECT_THAT(refused([](auto& c) {
                c = {};
                c.shots = 0;
              }),
              HasSubstr("[eval] has keys but no tasks"));
  EXPECT_THAT(refused([](auto& c) {
                c = {};
                c.batch = 0;
              }),
              HasSubstr("eval.batch is 0"));
  // 2 pages of 16 tokens, 2 layers, keys and values of 2 heads with 8 values of 4 bytes: 8 KiB.
  EXPECT_THAT(refused([](auto& c) { c.cache_gib = 8191.0 / (1 << 30); }),
              HasSubstr("a sequence of train.sequence_length = 24 needs 0.001"));
  EXPECT_EQ(refused([](auto& c) { c.cache_gib = 8192.0 / (1 << 30); }), "no error");
}

TEST(Benchmarks, AreAskedByAnEngineOfTheRunsLengthAndTheConfigsSizes) {
  const TempDir dir;
  RunOf run(dir);
  run.config.eval.batch = 7;
  run.config.eval.cache_gib = 0.25;
  const DataFacts facts = facts_of(open_prepared(dir / "out"), run.config.data);
  const infer::EngineOptions options = benchmark_engine(resolve(run.config, facts));
  EXPECT_EQ(options.limits.max_sequences, 7);
  EXPECT_EQ(options.max_length, 24);
  EXPECT_EQ(options.cache_bytes, std::size_t{1} << 28);
  run.config.eval.cache_gib = 1e300;
  EXPECT_EQ(benchmark_engine(resolve(run.config, facts)).cache_bytes,
            std::size_t{1'000'000'000'000'000'000})
      << "a number that a size can hold";
  run.config.eval = {};
  EXPECT_EQ(benchmark_bytes(resolve(run.config, facts)).device, 0u) << "none without tasks";
}

TEST(Benchmarks, AreInTheMemoryTable) {
  const TempDir dir;
  RunOf run(dir);
  const DataFacts facts = facts_of(open_prepared(dir / "out"), run.config.data);
  const auto table_of = [&] {
    const TrainPlan plan = resolve(run.config, facts);
    return plan_memory(plan, OneRank(plan.config.model).groups);
  };
  const std::size_t benchmarks = benchmark_bytes(resolve(run.config, facts)).device;
  EXPECT_GT(benchmarks, 0u);
  const MemoryTable with = table_of();
  EXPECT_THAT(with.text(), HasSubstr("benchmarks  "));
  run.config.eval = {};
  // The program itself may grow by a page between the two.
  EXPECT_NEAR(double(with.device_total()), double(table_of().device_total() + benchmarks), 1 << 20);
}

}  // namespace
}  // namespace fathom

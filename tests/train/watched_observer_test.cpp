// A run's events on their way to two observers, and the batch that shows a device its sizes.
#include "train/watched_observer.h"

#include <gmock/gmock.h>

#include "parallel/small_model.h"
#include "train/warm_up.h"

namespace fathom {
namespace {

using testing::ElementsAre;

// Notes "NAME EVENT" and the figure that tells which one it was given.
class NotingObserver final : public RunObserver {
 public:
  NotingObserver(std::string name, std::vector<std::string>& notes)
      : name_(std::move(name)), notes_(notes) {}

  void begin(const RunPosition& from) override { note("begin", from.steps); }
  void batches(std::span<const Batch> batches) override { note("batches", std::ssize(batches)); }
  void step(const StepRecord& step) override { note("step", step.after.steps); }
  void validation(const MetricsRecord& record) override { note("validation", record.step); }
  void samples(const SamplePoint& point) override { note("samples", point.step); }
  void repetition(std::int64_t step, const RepetitionResult& result) override {
    note("repetition", step + result.figures.answers);
  }
  void benchmark(std::int64_t step, const BenchmarkScore& score) override {
    note("benchmark", step + score.items);
  }
  void sync() override { note("sync", 0); }
  void saved(const SaveResult& result) override { note("saved", result.step); }
  void end(const RunEnd& end) override { note("end", end.position.steps); }

 private:
  void note(const char* event, std::int64_t figure) {
    notes_.push_back(fmt::format("{} {} {}", name_, event, figure));
  }

  std::string name_;
  std::vector<std::string>& notes_;
};

TEST(WatchedObserver, TellsBothOfEveryEventTheWatcherLast) {
  std::vector<std::string> notes;
  NotingObserver first("run", notes), last("watcher", notes);
  WatchedObserver both(first, last);
  const auto told = [&](auto&& event) {
    notes.clear();
    event(static_cast<RunObserver&>(both));
    return notes;
  };
  const std::vector<Batch> batches(3);
  StepRecord step;
  step.after.steps = 4;
  RepetitionResult repetition;
  repetition.figures.answers = 10;
  BenchmarkScore score;
  score.items = 20;
  SaveResult saved;
  saved.step = 8;
  EXPECT_THAT(told([](auto& o) {
                o.begin({2, 0, 0, 0});
              }),
              ElementsAre("run begin 2", "watcher begin 2"));
  EXPECT_THAT(told([&](auto& o) { o.batches(batches); }),
              ElementsAre("run batches 3", "watcher batches 3"));
  EXPECT_THAT(told([&](auto& o) { o.step(step); }), ElementsAre("run step 4", "watcher step 4"));
  EXPECT_THAT(told([](auto& o) {
                o.validation({5, {}});
              }),
              ElementsAre("run validation 5", "watcher validation 5"));
  EXPECT_THAT(told([](auto& o) {
                o.samples({6, {}});
              }),
              ElementsAre("run samples 6", "watcher samples 6"));
  EXPECT_THAT(told([&](auto& o) { o.repetition(7, repetition); }),
              ElementsAre("run repetition 17", "watcher repetition 17"));
  EXPECT_THAT(told([&](auto& o) { o.benchmark(7, score); }),
              ElementsAre("run benchmark 27", "watcher benchmark 27"));
  EXPECT_THAT(told([](auto& o) { o.sync(); }), ElementsAre("run sync 0", "watcher sync 0"));
  EXPECT_THAT(told([&](auto& o) { o.saved(saved); }),
              ElementsAre("run saved 8", "watcher saved 8"));
  const ModelConfig model = test::small_model(2, 2, 64);
  const OneRank rank(model);
  LearnerOptions options(rank.groups);
  options.model = model;
  options.micro_tokens = options.tokens_per_step = 4;
  Learner learner(options);
  EXPECT_THAT(told([&](auto& o) {
                o.end({{9, 0, 0, 0}, {}, "", learner});
              }),
              ElementsAre("run end 9", "watcher end 9"));
}

TEST(FilledBatch, HasRowsOfTheLengthThatAreAllTargets) {
  const Batch batch = filled_batch(2, 3);
  EXPECT_EQ(batch.sequences, 2);
  EXPECT_EQ(batch.sequence_length, 3);
  EXPECT_THAT(batch.inputs, ElementsAre(0, 0, 0, 0, 0, 0));
  EXPECT_THAT(batch.targets, ElementsAre(0, 0, 0, 0, 0, 0));
  EXPECT_EQ(batch.num_targets, 6);
  EXPECT_THAT(batch.sources, ElementsAre(0, 0));
  EXPECT_THAT(batch.cu_seqlens, ElementsAre(0, 3, 6));
  EXPECT_THAT(batch.positions, ElementsAre(0, 1, 2, 0, 1, 2));
}

}  // namespace
}  // namespace fathom

// An objective and a source that are not pre-training's, given to the same run: preference
// training, whose loss is a function of whole sequences' log-probabilities.
#include "learn/objective.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "comm/ranks.h"
#include "core/num_threads_scope.h"
#include "data/sampler.h"
#include "train/rank_options.h"
#include "train/pretraining.h"
#include "train/small_run.h"
#include "train/training_run.h"

namespace fathom {
namespace {

using namespace test;

// The same samples in every step.
class Repeating final : public BatchSource {
 public:
  Repeating(std::shared_ptr<const BatchSource> source, std::int64_t period)
      : source_(std::move(source)), period_(period) {}
  void fill(std::int64_t first, std::int64_t count, Batch& batch) const override {
    source_->fill(first % period_, count, batch);
  }
  std::int64_t sequence_length() const override { return source_->sequence_length(); }
  std::uint64_t fingerprint() const override { return source_->fingerprint() + 1; }

 private:
  std::shared_ptr<const BatchSource> source_;
  std::int64_t period_;
};

// Of each pair of sequences a, b: −log σ(β (log p(a) − log p(b))), as DPO with a reference to
// which all sequences are alike. The derivative by a's tokens' losses is β σ(−margin), by b's
// the same with the other sign.
class Preference final : public Objective {
 public:
  static constexpr double beta = 0.1;

  std::string_view name() const override { return "preference"; }
  bool weighs_losses() const override { return true; }

  StepTerms prepare(std::span<Batch> batches) override {
    loss_ = preferred_ = 0;
    StepTerms terms;
    for (Batch& batch : batches) {
      batch.loss_weights.assign(batch.inputs.size(), 0.0f);
      terms.normaliser += static_cast<double>(batch.sequences / 2);
    }
    return terms;
  }

  void weigh(const Batch& batch, std::span<const float> losses, std::span<float> weights) override {
    const auto length = static_cast<std::size_t>(batch.sequence_length);
    const auto sum = [&](std::size_t sequence) {
      const auto own = losses.subspan(sequence * length, length);
      return std::accumulate(own.begin(), own.end(), 0.0);
    };
    for (std::size_t a = 0; a < static_cast<std::size_t>(batch.sequences); a += 2) {
      const double margin = beta * (sum(a + 1) - sum(a));
      loss_ += std::log1p(std::exp(-margin));
      const auto slope = static_cast<float>(beta / (1 + std::exp(margin)));
      std::ranges::fill(weights.subspan(a * length, length), slope);
      std::ranges::fill(weights.subspan((a + 1) * length, length), -slope);
      preferred_ += margin > 0 ? 1 : 0;
    }
  }

  void conclude(StepTerms& terms) override {
    terms.loss = loss_;
    terms.sums = {{"preferred", preferred_}};
  }

 private:
  double loss_ = 0, preferred_ = 0;
};

class Recorder final : public RunObserver {
 public:
  void step(const StepRecord& step) override {
    losses.push_back(step.result.loss);
    preferred.push_back(step.figures.values.at(0).second);
  }
  std::vector<double> losses, preferred;
};

struct ObjectiveLayout {
  int pp, dp, tp;
};

TrainConfig preference_config(const TempDir& dir, const ObjectiveLayout& layout) {
  TrainConfig config = tiny(dir, fmt::format("pp{}dp{}tp{}", layout.pp, layout.dp, layout.tp));
  config.train.micro_batch = 2;
  config.train.steps = 20;
  config.schedule.warmup_steps = 0;
  config.parallel.pp = layout.pp;
  config.parallel.tp = layout.tp;
  config.checkpoint.enabled = false;
  return config;
}

Recorder train_preference(const TempDir& dir, const ObjectiveLayout& layout) {
  const TrainConfig config = preference_config(dir, layout);
  const auto data = std::make_shared<const PreparedData>(open_prepared(config.data));
  Runtime runtime(Signals::untouched, gemm_peak);
  Recorder first;
  run_ranks(layout.pp * layout.dp * layout.tp, {60}, [&](Communicator& world) {
    const NumThreadsScope threads(1);
    const TrainPlan plan = resolve(config, facts_of(*data, config.data), world.size());
    const RankGroups ranks(world, plan.parallel, plan.config.model);
    RunParts parts = pretraining(plan, data, ranks);
    parts.source = std::make_shared<const Repeating>(parts.source, config.train.global_batch);
    parts.objective = std::make_unique<Preference>();
    parts.validator.reset();
    Recorder recorder;
    TrainingRun(runtime, std::move(parts), plan, ranks, recorder).run({"none"});
    if (world.rank() == 0) first = std::move(recorder);
  });
  return first;
}

TEST(Objective, APreferenceIsLearntByTheSameRun) {
  const TempDir dir;
  prepare(dir);
  const Recorder one = train_preference(dir, {1, 1, 1});
  ASSERT_EQ(one.losses.size(), 20u);
  EXPECT_LT(one.losses.back(), 0.1 * one.losses.front());
  EXPECT_EQ(one.preferred.back(), 1);

  // The first step's figures, by hand.
  const TrainPlan plan = resolve(preference_config(dir, {1, 1, 1}), {256, 1000});
  const OneRank rank(plan.config.model);
  Learner learner(learner_options(plan, rank.groups));
  learner.initialize_weights(1);
  const OwnedStream uploads(cpu_device);
  DeviceBatch memory(uploads, plan.micro_tokens);
  const Sampler sampler(std::make_shared<const PreparedData>(open_prepared(dir / "out")), 24, 1);
  std::vector<Batch> batches(2);
  for (int m = 0; m < 2; ++m) sampler.fill(2 * m, 2, batches[std::size_t(m)]);
  Preference objective;
  StepTerms terms = objective.prepare(batches);
  for (const Batch& batch : batches) {
    std::vector<float> weights(batch.inputs.size());
    objective.weigh(batch, learner.evaluate(memory.upload(learner.context(), batch)), weights);
  }
  objective.conclude(terms);
  EXPECT_EQ(terms.normaliser, 2);
  EXPECT_EQ(one.losses.front(), *terms.loss / 2);
  EXPECT_EQ(one.preferred.front(), terms.sums.front().second / 2);

  for (const ObjectiveLayout& layout :
       {ObjectiveLayout{1, 2, 1}, {2, 1, 1}, {1, 1, 2}, {2, 2, 1}}) {
    SCOPED_TRACE(fmt::format("pp {} dp {} tp {}", layout.pp, layout.dp, layout.tp));
    const Recorder many = train_preference(dir, layout);
    EXPECT_EQ(many.preferred, one.preferred);
    for (std::size_t i = 0; i < one.losses.size(); ++i) {
      EXPECT_NEAR(many.losses[i] / one.losses[i], 1, 1e-3) << "step " << i;
    }
  }
}

// Next-token prediction that notes how it begins.
class Beginning final : public Objective {
 public:
  explicit Beginning(std::vector<std::string>& calls) : calls_(calls) {}
  std::string_view name() const override { return NextTokenPrediction::objective_name; }
  void begin(const EvaluateBatch& evaluate, std::int64_t steps_done) override {
    Batch batch{1, 2, 0, {1, 2}, {2, 3}, {}, {0, 1}, {0, 2}, {0}, 2};
    calls_.push_back(fmt::format("begin after {}, {} losses", steps_done, evaluate(batch).size()));
  }
  StepTerms prepare(std::span<Batch> batches) override {
    calls_.emplace_back("step");
    return NextTokenPrediction().prepare(batches);
  }

 private:
  std::vector<std::string>& calls_;
};

TEST(Objective, BeginsBeforeTheFirstStepAndAfterAResume) {
  const TempDir dir;
  prepare(dir);
  TrainConfig config = tiny(dir, "run");
  config.data.directory = dir / "out";
  const auto data = std::make_shared<const PreparedData>(open_prepared(config.data));
  Runtime runtime(Signals::untouched, gemm_peak);
  std::vector<std::string> calls;
  for (const std::int64_t steps : {2, 3}) {
    config.train.steps = steps;
    const TrainPlan plan = resolve(config, facts_of(*data, config.data));
    const OneRank rank(plan.config.model);
    RunParts parts = pretraining(plan, data, rank.groups);
    parts.objective = std::make_unique<Beginning>(calls);
    RunObserver nobody;
    TrainingRun(runtime, std::move(parts), plan, rank.groups, nobody).run({"auto"});
  }
  EXPECT_EQ(calls, (std::vector<std::string>{"begin after 0, 2 losses", "step", "step",
                                             "begin after 2, 2 losses", "step"}));
}

TEST(Objective, NextTokensAreCountedOverAllBatches) {
  std::vector<Batch> batches(2);
  batches[0].num_targets = 5;
  batches[1].num_targets = 7;
  const StepTerms terms = NextTokenPrediction().prepare(batches);
  EXPECT_EQ(terms.normaliser, 12);
  EXPECT_FALSE(terms.loss);
  EXPECT_TRUE(terms.sums.empty());
  EXPECT_TRUE(batches[0].loss_weights.empty());
}

}  // namespace
}  // namespace fathom

// Ten steps on every layout against the same ten steps on one rank: losses, gradient
// norms and weights.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>

#include "comm/thread_ranks.h"
#include "core/observer.h"
#include "core/parallel.h"
#include "learn/learner_run.h"

namespace fathom {
namespace {

using namespace test;

// Of rank 0, with all ranks' weights; the others' losses must be the same bits.
Result train_on_ranks(const Case& c) {
  const int ranks = int(c.parallel.pp * c.parallel.dp * c.parallel.tp);
  const ModelConfig model = model_of(c);
  const ParallelPlan plan =
      resolve(c.parallel, ranks, model, {2 * micro_batches, 2, SampleBatch::length});
  std::vector<Result> all(static_cast<std::size_t>(ranks));
  run_thread_ranks(ranks, {60}, [&](Communicator& world) {
    set_num_threads(1);
    const RankGroups groups(world, plan, model);
    all[std::size_t(world.rank())] = train(c, groups);
  });
  Result result = all[0];
  for (const Result& other : all) {
    EXPECT_EQ(other.losses, result.losses);
    EXPECT_EQ(other.norms, result.norms);
    EXPECT_EQ(other.evaluated, result.evaluated);
    EXPECT_EQ(other.logits, result.logits);
    for (const auto& [name, values] : other.weights) {
      auto& global = result.weights[name];
      if (global.empty()) global.resize(values.size());
      // Entries of other ranks are zero here.
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (values[i] != 0) global[i] = values[i];
      }
    }
  }
  return result;
}

void expect_same(const Case& c, const Result& one) {
  SCOPED_TRACE(c.name());
  const Result many = train_on_ranks(c);
  for (int step = 0; step < steps; ++step) {
    const auto s = std::size_t(step);
    EXPECT_NEAR(many.losses[s] / one.losses[s], 1, 1e-5) << "step " << step;
    EXPECT_NEAR(many.norms[s] / one.norms[s], 1, 1e-4) << "step " << step;
  }
  EXPECT_LT(relative_error(many.evaluated, one.evaluated), 1e-5);
  EXPECT_LT(relative_error(many.logits, one.logits), 1e-4) << "as exact as the weights";
  ASSERT_EQ(many.weights.size(), one.weights.size());
  for (const auto& [name, values] : one.weights) {
    EXPECT_LT(relative_error(many.weights.at(name), values), 1e-4) << name;
  }
}

// Every factorisation of 8, with options that walk through their combinations.
TEST(LearnerOnRanks, EveryLayoutOfEightRanksEqualsOneRank) {
  const Result one = train_on_one_rank({});
  Case weighted;
  weighted.weighted = true;
  const Result one_weighted = train_on_one_rank(weighted);
  EXPECT_GT(relative_error(one.losses, one_weighted.losses), 1e-2);
  int number = 0;
  for (const int pp : {1, 2, 4, 8}) {
    for (const int tp : {1, 2, 4, 8}) {
      if (8 % (pp * tp) != 0) continue;
      for (const bool sequence : {false, true}) {
        for (const bool zero : {false, true}) {
          Case c{layout(pp, 8 / pp / tp, tp)};
          if ((sequence && tp == 1) || (zero && c.parallel.dp == 1)) continue;
          c.parallel.sequence_parallel = sequence;
          c.parallel.zero = zero;
          c.parallel.schedule =
              number % 2 == 0 ? PipelineSchedule::one_f_one_b : PipelineSchedule::gpipe;
          c.recompute = Recompute(number++ % 3);
          expect_same(c, one);
          if (sequence || zero) continue;
          c.weighted = true;
          expect_same(c, one_weighted);
        }
      }
    }
  }
}

TEST(LearnerOnRanks, InterleavedStagesEqualOneRank) {
  const Result one = train_on_one_rank({});
  for (const auto& [pp, dp, tp, parts] :
       {std::array{2, 1, 1, 4}, std::array{4, 1, 2, 2}, std::array{2, 2, 2, 3}}) {
    Case c{layout(pp, dp, tp)};
    c.parallel.schedule = PipelineSchedule::interleaved;
    c.parallel.virtual_stages = parts;
    c.parallel.sequence_parallel = true;
    expect_same(c, one);
  }
}

TEST(LearnerOnRanks, TiedEmbeddingsEqualOneRank) {
  Case c;
  c.tied = true;
  const Result one = train_on_one_rank(c);
  for (const auto& [pp, dp, tp] : {std::array{2, 2, 2}, std::array{4, 2, 1}, std::array{1, 4, 2}}) {
    c.parallel = layout(pp, dp, tp);
    c.parallel.sequence_parallel = tp > 1;
    expect_same(c, one);
  }
}

TEST(LearnerOnRanks, TheLogitsAreThoseOfTheLosses) {
  const Result one = train_on_one_rank({});
  const SampleBatch sample(1000);
  const Tensor targets = sample.batch().targets;
  const std::size_t vocabulary = one.logits.size() / SampleBatch::n;
  EXPECT_EQ(std::int64_t(vocabulary), model_of({}).vocab_size);
  for (std::size_t i = 0; i < SampleBatch::n; ++i) {
    const std::int32_t target = targets.as<std::int32_t>()[i];
    if (target < 0) continue;
    const float* logits = one.logits.data() + (SampleBatch::n - 1 - i) * vocabulary;
    double sum = 0;
    for (std::size_t k = 0; k < vocabulary; ++k) sum += std::exp(double{logits[k]});
    EXPECT_NEAR(one.evaluated[i], std::log(sum) - double{logits[target]}, 1e-5) << i;
  }
}

TEST(LearnerOnRanks, TheSameLayoutGivesTheSameBits) {
  Case c{layout(2, 2, 2)};
  c.parallel.sequence_parallel = true;
  const Result a = train_on_ranks(c), b = train_on_ranks(c);
  EXPECT_EQ(a.losses, b.losses);
  EXPECT_EQ(a.weights, b.weights);
}

TEST(LearnerOnRanks, ZeroSharesTheOptimizersState) {
  const auto moments = [](bool zero) {
    ParallelConfig config = layout(1, 4, 1);
    config.zero = zero;
    std::size_t bytes = 0;
    const ModelConfig model = model_of({});
    const ParallelPlan plan =
        resolve(config, 4, model, {2 * micro_batches, 2, SampleBatch::length});
    run_thread_ranks(4, {60}, [&](Communicator& world) {
      const RankGroups groups(world, plan, model);
      const std::size_t mine = Learner::bytes(options_of({}, groups)).moments;
      if (world.rank() == 0) bytes = mine;
    });
    return bytes;
  };
  EXPECT_LT(moments(true), moments(false) / 3);
}

// The operations that ran: with everything by which a device tells their algorithms apart, which
// for matrices is their alignment too.
class OperationSet final : public OperationObserver {
 public:
  void observe(Context& context, const Operation& operation) override {
    std::string text = operation.name + (operation.in_place ? " in place" : "");
    for (const Tensor& x : operation.tensors) {
      text += fmt::format(" {}{}/{}", name_of(x.dtype), to_string(x.shape), x.row_stride);
      if (x.shape.rank() < 2) continue;
      const auto bits = reinterpret_cast<std::uintptr_t>(x.data) | 64;
      text += fmt::format("@{}", bits & (~bits + 1));
    }
    all.insert(text);
    operation.run(context);
  }
  std::set<std::string> all;
};

// What a warm-up runs alone is all that a step, an update and an evaluation run among ranks.
TEST(LearnerOnRanks, AWarmUpRunsEveryOperationOfAStep) {
  std::vector<Case> cases{{layout(1, 1, 1)},
                          {layout(2, 1, 2)},
                          {layout(1, 2, 2)},
                          {layout(2, 2, 1)},
                          {layout(1, 1, 4)}};
  cases[1].parallel.sequence_parallel = true;
  cases[1].parallel.sequence_pieces = 2;
  cases[1].recompute = Recompute::full;
  cases[2].parallel.sequence_parallel = true;
  cases[2].weighted = true;
  cases[3].parallel.schedule = PipelineSchedule::interleaved;
  cases[3].parallel.virtual_stages = 2;
  cases[3].tied = true;
  cases[4].recompute = Recompute::none;
  for (const Case& c : cases) {
    const ModelConfig model = model_of(c);
    const int ranks = int(c.parallel.pp * c.parallel.dp * c.parallel.tp);
    const ParallelPlan plan =
        resolve(c.parallel, ranks, model, {2 * micro_batches, 2, SampleBatch::length});
    run_thread_ranks(ranks, {60}, [&](Communicator& world) {
      set_num_threads(1);
      const RankGroups groups(world, plan, model);
      Learner learner(options_of(c, groups));
      learner.initialize_weights(3);
      std::vector<SampleBatch> samples;
      for (int m = 0; m < micro_batches / plan.layout.dp; ++m) samples.emplace_back(m, c.weighted);
      std::vector<MicroBatch> batches;
      for (const SampleBatch& sample : samples) batches.push_back(sample.batch());
      OperationSet warm_up, step;
      learner.context().observer = &warm_up;
      learner.warm_up(std::span(batches).first(2));
      learner.context().observer = &step;
      learner.compute_gradients(batches, 1);
      learner.update(1e-3, 1);
      learner.evaluate(batches.front());
      learner.context().observer = nullptr;
      learner.parameters();
      std::vector<std::string> missing;
      std::ranges::set_difference(step.all, warm_up.all, std::back_inserter(missing));
      EXPECT_GT(step.all.size(), 20u);
      EXPECT_TRUE(missing.empty())
          << c.name() << ": " << missing.size() << " not in the warm-up, such as " << missing[0];
    });
  }
}

}  // namespace
}  // namespace fathom

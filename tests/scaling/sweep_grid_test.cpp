#include "scaling/sweep_grid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/error.h"
#include "scaling/flops.h"
#include "scaling/hyperparameters.h"
#include "scaling/shape.h"

namespace fathom::scaling {
namespace {

constexpr std::int64_t length = 1024;

std::vector<double> flops_of(const std::vector<ModelConfig>& models) {
  std::vector<double> flops;
  for (const ModelConfig& model : models) flops.push_back(model_flops(model, length));
  return flops;
}

SweepConfig isoflop(std::vector<double> budgets, std::int64_t allocations = 8) {
  SweepConfig config;
  config.run.train.sequence_length = length;
  config.isoflop.budgets = std::move(budgets);
  config.isoflop.allocations = allocations;
  return config;
}

std::vector<double> five_budgets() {
  return {3e16, 3e14, 1e15, 3e15, 1e16};
}

TEST(ModelsAround, AreSpreadEvenlyOnALogarithmicScale) {
  const double optimum = 1e10, ratio = 1.5;
  const std::vector<double> flops = flops_of(models_around(optimum, 7, ratio, optimum, length));
  ASSERT_EQ(flops.size(), 7u);
  for (int i = 0; i < 7; ++i) {
    EXPECT_NEAR(std::log(flops[std::size_t(i)] / optimum), (i - 3) * std::log(ratio), 0.1);
  }
}

TEST(ModelsAround, OtherOptimaShareTheLadder) {
  const double ratio = 1.5;
  const std::vector<double> low = flops_of(models_around(1e10, 7, ratio, 1e10, length));
  const std::vector<double> high = flops_of(models_around(1.8e10, 7, ratio, 1e10, length));
  std::vector<double> both;
  std::ranges::set_intersection(low, high, std::back_inserter(both));
  EXPECT_EQ(both.size(), 6u);  // 1.8 is nearest to one rung
  EXPECT_GT(high.back(), low.back());
}

// An even number has one more on the side where the optimum is.
TEST(ModelsAround, AreNearestToTheOptimum) {
  const auto flops = flops_of(models_around(1.2e10, 2, 1.5, 1e10, length));
  EXPECT_NEAR(flops[0], 1e10, 5e8);
  EXPECT_NEAR(flops[1], 1.5e10, 8e8);
  const auto below = flops_of(models_around(0.85e10, 2, 1.5, 1e10, length));
  EXPECT_NEAR(below[1], 1e10, 5e8);
}

TEST(ModelsAround, AreDistinctAndNotSmallerThanTheSmallest) {
  const double smallest = smallest_model_flops(length);
  const auto models = models_around(1.5 * smallest, 8, 1.3, 1.5 * smallest, length);
  std::set<std::pair<std::int64_t, std::int64_t>> shapes;
  for (const ModelConfig& model : models) shapes.insert({model.num_layers, model.hidden_size});
  EXPECT_EQ(shapes.size(), 8u);
  EXPECT_EQ(flops_of(models).front(), smallest);
  EXPECT_THROW(models_around(smallest, 50, 1.0001, smallest, length), Error);
}

TEST(SweepRuns, SpendEachBudgetOnAsManyModels) {
  const auto runs = sweep_runs(isoflop(five_budgets()), deepseek_laws());
  ASSERT_EQ(runs.size(), 40u);
  std::map<double, std::vector<double>> by_budget;
  std::set<std::string> names;
  for (const SweepRun& run : runs) {
    by_budget[run.budget].push_back(run.model_flops);
    names.insert(run.name);
    EXPECT_NEAR(run.compute() / run.budget, 1, 0.02) << run.name;
    EXPECT_EQ(run.tokens % run.tokens_per_step(length), 0) << run.name;
    EXPECT_EQ(run.model_flops, model_flops(run.model, length));
    EXPECT_EQ(run.model.max_position, length);
  }
  EXPECT_EQ(names.size(), 40u);
  EXPECT_EQ(by_budget.size(), 5u);
  for (const auto& [budget, flops] : by_budget) {
    EXPECT_EQ(flops.size(), 8u);
    EXPECT_TRUE(std::ranges::is_sorted(flops));
    const double optimum = deepseek_laws().model_flops->at(budget);
    EXPECT_LT(flops.front(), optimum);
    EXPECT_GT(flops.back(), optimum);
  }
}

// Where shapes are fine enough to meet any M.
TEST(SweepRuns, OfABudgetSpanTheSpreadAndShareALadderWithItsNeighbours) {
  SweepConfig config = isoflop({1e20, 3e20, 1e21, 3e21, 1e22});
  config.isoflop.spread = 12;
  std::map<double, std::vector<double>> by_budget;
  std::set<double> models;
  for (const SweepRun& run : sweep_runs(config, deepseek_laws())) {
    by_budget[run.budget].push_back(run.model_flops);
    models.insert(run.model_flops);
  }
  for (const auto& [budget, flops] : by_budget) {
    EXPECT_NEAR(flops.back() / flops.front(), 12, 0.8) << budget;
  }
  // M_opt grows 11 times, which are 7 rungs of 12^(1/7).
  EXPECT_EQ(models.size(), 8u + 7u);
}

TEST(SweepRuns, OfOneModelShareRateAndBatch) {
  SweepConfig config = isoflop(five_budgets());
  using Key = std::pair<std::int64_t, std::int64_t>;
  const auto settings = [&] {
    std::map<Key, std::set<std::pair<double, std::int64_t>>> all;
    for (const SweepRun& run : sweep_runs(config, deepseek_laws())) {
      all[{run.model.num_layers, run.model.hidden_size}].insert({run.learning_rate, run.batch});
    }
    std::size_t most = 0;
    for (const auto& [key, values] : all) most = std::max(most, values.size());
    return most;
  };
  EXPECT_EQ(settings(), 1u);
  config.isoflop.hyperparameters = HyperparameterChoice::per_budget;
  EXPECT_GT(settings(), 1u);
}

TEST(SweepRuns, GoByTheLawsUnlessGivenOtherwise) {
  SweepConfig config = isoflop({1e17}, 3);
  const Hyperparameters h = hyperparameters(deepseek_laws(), 1e17);
  const SweepRun by_law = sweep_runs(config, deepseek_laws()).front();
  EXPECT_NEAR(by_law.learning_rate / h.learning_rate, 1, 0.005);
  EXPECT_EQ(by_law.batch, round_batch(h.batch_sequences(length)));
  config.isoflop.learning_rate = 5e-3;
  config.isoflop.batch = 12;
  config.isoflop.model_flops = {2e9, 4e9};
  const auto runs = sweep_runs(config, deepseek_laws());
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].learning_rate, 5e-3);
  EXPECT_EQ(runs[0].batch, 12);
  EXPECT_NEAR(runs[0].model_flops, 2e9, 1e8);
  EXPECT_NEAR(runs[1].model_flops, 4e9, 2e8);
  // Then no law is needed.
  EXPECT_EQ(sweep_runs(config, Laws{}).size(), 2u);
  config.isoflop.batch.reset();
  EXPECT_THROW(sweep_runs(config, Laws{}), Error);
}

// Fits take runs of one M and D for a grid.
TEST(SweepRuns, OfAHyperparameterGridDifferInRateAndBatchAlone) {
  SweepConfig config = isoflop({});
  config.grid.budgets = {1e16, 1e15};
  const auto runs = sweep_runs(config, deepseek_laws());
  ASSERT_EQ(runs.size(), 50u);
  for (const double budget : config.grid.budgets) {
    std::set<std::pair<double, std::int64_t>> sizes;
    std::set<double> rates;
    std::set<std::int64_t> batches;
    for (const SweepRun& run : runs) {
      if (run.budget != budget) continue;
      sizes.insert({run.model_flops, run.tokens});
      rates.insert(run.learning_rate);
      batches.insert(run.batch);
    }
    EXPECT_EQ(sizes.size(), 1u);
    EXPECT_EQ(rates.size(), 5u);
    EXPECT_EQ(batches.size(), 5u);
    EXPECT_NEAR(*rates.rbegin() / *rates.begin(), 16, 0.2);
    EXPECT_EQ(*batches.rbegin(), 16 * *batches.begin());
  }
}

TEST(SweepRuns, OfAGridTakeGivenValues) {
  SweepConfig config = isoflop({});
  config.grid.budgets = {1e15};
  config.grid.model_flops = 1e8;
  config.grid.learning_rates = {2e-3, 1e-3};
  config.grid.batches = {12, 8};
  const auto runs = sweep_runs(config, Laws{});
  ASSERT_EQ(runs.size(), 4u);
  EXPECT_EQ(runs[0].batch, 8);
  EXPECT_EQ(runs[0].learning_rate, 1e-3);
  EXPECT_EQ(runs[3].batch, 12);
  EXPECT_EQ(runs[0].tokens % (24 * length), 0);
  EXPECT_THAT(runs[3].name, testing::StartsWith("grid-c1.00e15-"));
}

// Rates and batches are multiples of the laws' by factors of their own.
TEST(SweepRuns, OfAGridTakeGivenFactors) {
  SweepConfig config = isoflop({});
  config.grid.budgets = {1e17};
  config.grid.model_flops = 1e8;
  config.grid.learning_rates = {1e-3};
  config.grid.batch_factors = {4, 1};
  const auto batches = sweep_runs(config, deepseek_laws());
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[1].batch, 4 * batches[0].batch);
  config.grid.learning_rates.clear();
  config.grid.rate_factors = {1, 8};
  config.grid.batches = {8};
  const auto rates = sweep_runs(config, deepseek_laws());
  ASSERT_EQ(rates.size(), 2u);
  const double laws_rate = hyperparameters(deepseek_laws(), 1e17).learning_rate;
  EXPECT_NEAR(rates[0].learning_rate, laws_rate, 0.005 * laws_rate);
  EXPECT_NEAR(rates[1].learning_rate, 8 * laws_rate, 0.04 * laws_rate);
}

// Budgets of so many steps of 12 sequences, which are not whole.
TEST(SweepRuns, HaveTheNearestNumberOfSteps) {
  SweepConfig config = isoflop({}, 1);
  config.isoflop.learning_rate = 1e-3;
  config.isoflop.batch = 12;
  config.isoflop.model_flops = {1e8};
  const double step = flops_of({shape_for(1e8, length)})[0] * 12 * length;
  for (const auto& [steps, nearest] :
       {std::pair{20.4, 20}, {20.49, 20}, {20.51, 21}, {20.9, 21}, {21.0, 21}}) {
    config.isoflop.budgets = {steps * step};
    const SweepRun run = sweep_runs(config, Laws{}).at(0);
    EXPECT_EQ(run.steps(length), nearest) << steps;
    EXPECT_EQ(run.tokens, nearest * 12 * length);
  }
}

// Ten steps are enough; with several batches all of them end at one number of tokens.
TEST(SweepRuns, HaveTenStepsAtLeast) {
  SweepConfig config = isoflop({}, 1);
  config.grid.model_flops = 1e8;
  config.grid.learning_rates = {1e-3};
  config.grid.batches = {4, 6};
  const double step = flops_of({shape_for(1e8, length)})[0] * 12 * length;
  const auto steps = [&](double count) {
    config.grid.budgets = {count * step};
    const auto runs = sweep_runs(config, Laws{});
    return std::pair{runs.at(0).steps(length), runs.at(1).steps(length)};
  };
  EXPECT_EQ(steps(9.51), (std::pair<std::int64_t, std::int64_t>{30, 20})) << "ten of 12 each";
  EXPECT_THROW(steps(9.49), Error);
  config.grid.batches = {(std::int64_t{1} << 21) - 1, (std::int64_t{1} << 21) + 1};
  try {
    steps(20);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("its batches (2097151, 2097153) have no common "
                                                 "multiple that a run could end at"));
  }
}

TEST(SweepRuns, OfOneNameWithOtherTokensAreRefused) {
  SweepConfig config = isoflop({1e17, 1.0001e17}, 1);
  config.isoflop.learning_rate = 1e-3;
  config.isoflop.batch = 1;
  config.isoflop.model_flops = {1e8};
  try {
    sweep_runs(config, Laws{});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("two runs are called iso-c1.00e17-"));
  }
  config.isoflop.budgets = {1e17, 1e17};
  EXPECT_EQ(sweep_runs(config, Laws{}).size(), 1u) << "the same run twice is one";
}

TEST(SweepRuns, RefuseRunsOfFewSteps) {
  SweepConfig config = isoflop({1e12}, 1);
  config.isoflop.batch = 64;
  config.isoflop.learning_rate = 1e-3;
  try {
    sweep_runs(config, deepseek_laws());
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("fewer than 10 steps"));
  }
}

}  // namespace
}  // namespace fathom::scaling

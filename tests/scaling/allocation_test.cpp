#include "scaling/allocation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "io/temp_dir.h"
#include "scaling/budget_report.h"
#include "scaling/flops.h"
#include "train/plan.h"

namespace fathom::scaling {
namespace {

TEST(Allocation, SpendsTheBudgetExactly) {
  for (double exponent = 13; exponent < 25; exponent += 0.5) {
    const double compute = std::pow(10, exponent);
    const Allocation a = allocate(deepseek_laws(), compute, 1024);
    EXPECT_EQ(a.model_flops, model_flops(a.model, 1024));
    EXPECT_LE(std::abs(a.model_flops * static_cast<double>(a.tokens) - compute),
              0.5001 * a.model_flops);
  }
}

// Near the 7B's budget the report's law wants a larger model than its 7B, and fewer tokens.
TEST(Allocation, GoesByTheLaws) {
  const Allocation a = allocate(deepseek_laws(), 1e22, 4096);
  EXPECT_NEAR(a.optimal_model_flops, 0.1715 * std::pow(1e22, 0.5243), 1);
  EXPECT_NEAR(a.optimal_tokens, 5.8316 * std::pow(1e22, 0.4757), 1);
  EXPECT_NEAR(a.model_flops / a.optimal_model_flops, 1, 0.02);
  EXPECT_EQ(a.hyperparameters.learning_rate, hyperparameters(deepseek_laws(), 1e22).learning_rate);
  EXPECT_EQ(a.batch_sequences, round_batch(a.hyperparameters.batch_sequences(4096)));
}

TEST(Allocation, WithoutALawForTokensTheyAreWhatTheModelLeaves) {
  Laws laws = deepseek_laws();
  laws.tokens.reset();
  laws.model_flops->record.draws = {{2, 0.5}};
  const Allocation a = allocate(laws, 1e18, 1024);
  EXPECT_DOUBLE_EQ(a.optimal_tokens * a.optimal_model_flops, 1e18);
  EXPECT_EQ(a.model_flops_interval, (Interval{2e9, 2e9}));
  EXPECT_EQ(a.tokens_interval, std::nullopt);
}

TEST(Allocation, RefusesLawsThatLeadNowhere) {
  Laws laws = deepseek_laws();
  laws.model_flops->exponent.value = 0;
  laws.model_flops->coefficient.value = 1e8;
  EXPECT_THROW(allocate(laws, 1e27, 1024), Error);
  laws.model_flops.reset();
  EXPECT_THROW(allocate(laws, 1e18, 1024), Error);
  EXPECT_THROW(allocate(deepseek_laws(), 1e9, 1024), Error);
}

TrainConfig config_of(const Allocation& a, const std::string& data) {
  const test::TempDir dir;
  const std::string path = dir / "train.toml";
  std::ofstream(path) << train_config_text(a, deepseek_laws(), data, "some/run");
  return load_train_config(path);
}

TEST(AllocationConfig, IsOneOfATrainingRun) {
  const Allocation a = allocate(deepseek_laws(), 1e24, 2048);
  const TrainConfig config = config_of(a, "a \"quoted\" folder");
  EXPECT_EQ(config.output, "some/run");
  EXPECT_EQ(config.data.directory, "a \"quoted\" folder");
  EXPECT_NEAR(config.schedule.peak, a.hyperparameters.learning_rate,
              0.006 * a.hyperparameters.learning_rate);
  const TrainPlan plan = resolve(config, {102400});
  EXPECT_EQ(plan.max_tokens, a.tokens);
  EXPECT_EQ(plan.tokens_per_step, 2048 * a.batch_sequences);
  EXPECT_EQ(plan.config.model.num_layers, a.model.num_layers);
  EXPECT_EQ(plan.config.model.hidden_size, a.model.hidden_size);
  EXPECT_EQ(plan.config.model.num_heads, a.model.num_heads);
  EXPECT_EQ(plan.config.model.num_kv_heads, 8);
  EXPECT_EQ(plan.config.model.head_dim, 128);
  EXPECT_EQ(plan.config.model.intermediate_size, a.model.intermediate_size);
  EXPECT_EQ(plan.config.model.vocab_size, 102400);
}

TEST(AllocationConfig, SaysWhereItsNumbersComeFrom) {
  const Allocation a = allocate(deepseek_laws(), 1e20, 4096);
  const std::string text = train_config_text(a, deepseek_laws(), "d", "o");
  for (const std::string& line :
       {fmt::format("# 1e+20 FLOPs, spent by the laws of deepseek (DeepSeek LLM's current in-house "
                    "data):\n# M_opt {:.4g} FLOPs a token, D_opt {:.4g} tokens. This shape has M = "
                    "{:.4g}, and\n# M · train.tokens is the budget.\n",
                    a.optimal_model_flops, a.optimal_tokens, a.model_flops),
        std::string("max_position = 4096\n"), std::string("sequence_length = 4096\n"),
        fmt::format("global_batch = {}  # the law: 248\ntokens = {}\n", a.batch_sequences,
                    a.tokens),
        std::string("peak = 0.000986\n")}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

TEST(AllocationConfig, OfASmallBudgetToo) {
  const Allocation a = allocate(deepseek_laws(), 1e13, 256);
  EXPECT_EQ(resolve(config_of(a, "data"), {300}).max_tokens, a.tokens);
}

TEST(BudgetReport, SaysWhatTheBudgetBuys) {
  const Allocation a = allocate(deepseek_laws(), 1e20, 4096);
  const std::string text = to_text(a, deepseek_laws());
  const nlohmann::ordered_json json = to_json(a, deepseek_laws());
  for (const char* line :
       {"laws                  deepseek: DeepSeek LLM's current in-house data\n",
        "budget C              1.00e20 FLOPs\n", "M_opt                 5.25e9 FLOPs a token\n",
        "D_opt                 1.90e10 tokens\n", "peak learning rate    9.86e-4\n",
        "batch                 1.02M tokens, 248 sequences of 4096\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
  EXPECT_EQ(json["model"]["num_layers"], a.model.num_layers);
  EXPECT_EQ(json["tokens"], a.tokens);
  EXPECT_EQ(json["law"]["batch_sequences"], 248);
  EXPECT_EQ(json["optimal_tokens_interval"], nullptr);
  EXPECT_EQ(json["steps"], (a.tokens + json["global_batch"].get<std::int64_t>() * 4096 - 1) /
                               (json["global_batch"].get<std::int64_t>() * 4096));
}

// Of an allocation whose figures all differ.
TEST(BudgetReport, HasEachFigureInItsLineAndUnderItsKey) {
  Allocation a;
  a.compute = 6e12;
  a.sequence_length = 100;
  a.optimal_model_flops = 2e6;
  a.optimal_tokens = 3e6;
  a.model_flops_interval = Interval{1e6, 4e6};
  a.tokens_interval = Interval{2e6, 5e6};
  a.model.num_layers = 2;
  a.model.hidden_size = 96;
  a.model.num_heads = 6;
  a.model.num_kv_heads = 3;
  a.model.head_dim = 16;
  a.model.intermediate_size = 256;
  a.model_flops = 2.5e6;
  a.tokens = 2'400'001;
  a.hyperparameters = {0.002, 1600, Interval{0.001, 0.003}, Interval{1000, 2000}};
  a.batch_sequences = 12;
  const std::string text = to_text(a, deepseek_laws());
  for (const char* line :
       {"budget C              6.00e12 FLOPs\n",
        "M_opt                 2.00e6 FLOPs a token  (95 %: 1.00e6 to 4.00e6)\n",
        "D_opt                 3.00e6 tokens  (95 %: 2.00e6 to 5.00e6)\n",
        "model                 2 layers of width 96, 6 heads of 16, 3 key heads, MLP 256\n",
        "M of the model        2.50e6 FLOPs a token at sequences of 100, +25.0 % from M_opt\n",
        "parameters            221k besides embedding and head\n",
        "training tokens       2400001, so that M · D = C\n",
        "peak learning rate    2.00e-3  (95 %: 1.00e-3 to 3.00e-3)\n",
        "batch                 1.60k tokens, 16 sequences of 100  (95 %: 1.00e3 to 2.00e3)\n",
        "batch of the run      12 sequences, 2001 steps\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
  EXPECT_EQ(to_json(a, deepseek_laws()).dump(),
            R"({"laws":{"source":"deepseek","data":"DeepSeek LLM's current in-house data"},)"
            R"("compute":6000000000000.0,"sequence_length":100,"optimal_model_flops":2000000.0,)"
            R"("optimal_model_flops_interval":[1000000.0,4000000.0],"optimal_tokens":3000000.0,)"
            R"("optimal_tokens_interval":[2000000.0,5000000.0],"model":{"num_layers":2,)"
            R"("hidden_size":96,"num_heads":6,"num_kv_heads":3,"head_dim":16,)"
            R"("intermediate_size":256},"model_flops":2500000.0,"tokens":2400001,)"
            R"("law":{"learning_rate":0.002,"learning_rate_interval":[0.001,0.003],)"
            R"("batch_tokens":1600.0,"batch_interval":[1000.0,2000.0],"batch_sequences":16},)"
            R"("global_batch":12,"steps":2001})");
  a.tokens = 2'400'000;
  EXPECT_EQ(to_json(a, deepseek_laws()).at("steps"), 2000);
}

TEST(BudgetReport, ShowsIntervals) {
  Laws laws = deepseek_laws();
  laws.batch_tokens->record.draws = {{10, 0}, {10, 0}};
  const HyperparameterReport report{1e18, 1024, hyperparameters(laws, 1e18)};
  EXPECT_NE(to_text(report, laws).find("sequences of 1024  (95 %: 1.00e1 to 1.00e1)\n"),
            std::string::npos)
      << to_text(report, laws);
  EXPECT_EQ(to_json(report, laws)["batch_interval"], nlohmann::ordered_json({10, 10}));
  EXPECT_EQ(to_json(report, laws)["compute"], 1e18);
}

}  // namespace
}  // namespace fathom::scaling

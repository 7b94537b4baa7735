// The results of a sweep's runs on the disk.
#include "scaling/sweep_results.h"

#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "io/temp_dir.h"
#include "scaling/sweep_report.h"
#include "scaling/sweep_time.h"
#include "train/metric_names.h"

namespace fathom::scaling {
namespace {

class SweepResults : public testing::Test {
 protected:
  SweepResults() {
    plan_.dataset = "letters";
    plan_.sequence_length = 5;
    plan_.unique_tokens = 7000;
    plan_.seed = 3;
    for (const char* name : {"one", "two", "three"}) {
      SweepRun run;
      run.name = name;
      run.model.num_layers = 8;
      run.model.hidden_size = 512;
      run.model_flops = 1000;
      run.tokens = 60;
      run.batch = 2;
      run.learning_rate = 0.125;
      plan_.runs.push_back(run);
    }
  }
  RunResult result(std::size_t run, double loss) const {
    MetricsRecord validation{6, {}};
    validation.add(metric::validation_loss, loss);
    validation.add(metric::bits_per_byte, loss / 2);
    return sweep_result(plan_, plan_.runs[run], &validation);
  }

  test::TempDir dir_;
  SweepPlan plan_;
};

TEST_F(SweepResults, HaveThePlannedFiguresAndTheLastValidation) {
  EXPECT_EQ(result_line(result(0, 2.5)),
            R"({"name":"one","dataset":"letters","layers":8,"width":512,"model_flops":1000.0,)"
            R"("tokens":60.0,"compute":60000.0,"batch_tokens":10.0,"learning_rate":0.125,)"
            R"("loss":2.5,"bits_per_byte":1.25,"unique_tokens":7000.0,"seed":3})");
  const RunResult diverged = sweep_result(plan_, plan_.runs[0], nullptr);
  EXPECT_TRUE(diverged.diverged());
  EXPECT_TRUE(std::isnan(diverged.bits_per_byte));
  MetricsRecord loss_alone{6, {}};
  loss_alone.add(metric::validation_loss, 2);
  const RunResult without = sweep_result(plan_, plan_.runs[0], &loss_alone);
  EXPECT_EQ(without.loss, 2);
  EXPECT_TRUE(std::isnan(without.bits_per_byte));
}

TEST_F(SweepResults, AreThoseOfTheRunsThatHaveEndedInTheOrderOfThePlan) {
  const auto lines = [&] {
    write_results(dir_.path(), plan_);
    return test::read_file(dir_ / "results.jsonl");
  };
  std::filesystem::create_directories(dir_ / "results");
  EXPECT_EQ(lines(), "");
  EXPECT_FALSE(recorded_result(dir_.path(), plan_.runs[1]));
  record_result(dir_.path(), result(2, 3));
  record_result(dir_.path(), result(1, 2));
  const std::string two = result_line(result(1, 2)) + "\n",
                    three = result_line(result(2, 3)) + "\n";
  EXPECT_EQ(lines(), two + three);
  EXPECT_EQ(recorded_result(dir_.path(), plan_.runs[1])->loss, 2);
  record_failure(dir_.path(), plan_.runs[0], "the disk is full");
  EXPECT_EQ(test::read_file(dir_ / "results/one.failed"), "the disk is full\n");
  EXPECT_FALSE(recorded_result(dir_.path(), plan_.runs[0])) << "it is tried again";
  EXPECT_EQ(lines(), result_line(sweep_result(plan_, plan_.runs[0], nullptr)) + "\n" + two + three);
  record_failure(dir_.path(), plan_.runs[1], "later");
  EXPECT_THAT(lines(), testing::EndsWith(two + three)) << "a result counts more";
  forget_failure(dir_.path(), plan_.runs[0]);
  EXPECT_EQ(lines(), two + three);
  forget_failure(dir_.path(), plan_.runs[0]);  // of none nothing is left to forget
}

TEST_F(SweepResults, AreToldInALine) {
  EXPECT_EQ(result_text(result(0, 2.5)), "one: loss 2.5000, 1.2500 bits per byte");
  EXPECT_EQ(result_text(sweep_result(plan_, plan_.runs[0], nullptr)), "one: diverged");
}

// A row for each grid and budget, in their order, and the totals.
TEST_F(SweepResults, APlanIsToldInATable) {
  SweepPlan plan = plan_;
  plan.runs.clear();
  const auto add = [&](const char* name, double budget, double model_flops, std::int64_t tokens) {
    SweepRun run = plan_.runs[0];
    run.name = name;
    run.budget = budget;
    run.model_flops = model_flops;
    run.tokens = tokens;
    run.flops_per_token = 10;
    plan.runs.push_back(run);
  };
  add("iso-b", 3e6, 2000, 1500);
  add("iso-a", 1e6, 1000, 1000);
  add("iso-c", 1e6, 4000, 250);
  add("grid-a", 2e6, 1000, 2000);
  plan.runs[1].trunk = "grid-a";
  plan.runs[1].branch_step = 80;  // of 100
  const SweepTime time = time_by_rate(plan, 5, 2);
  const std::string text = to_text(plan, time);
  const std::string head =
      "grid     budget  runs  models  branches  M                     tokens                  "
      "FLOPs "
      "  to train\n";
  EXPECT_EQ(
      text.substr(0, text.find("time:")),
      head +
          "grid     2.00e6     1       1         0  1.00e3                2.00k                  "
          "2.00e4     2.00e4\n"
          "iso      1.00e6     2       2         1  1.00e3 to 4.00e3      250 to 1.00k           "
          "1.25e4     4.50e3\n"
          "iso      3.00e6     1       1         0  2.00e3                1.50k                  "
          "1.50e4     1.50e4\n"
          "\n4 runs, 4.75e4 FLOPs with the head; 1 branches of trunks, so 3.95e4 are to train: "
          "17 % less\n");
  EXPECT_EQ(to_json(plan, time).at("budgets").at(1).dump(),
            R"({"grid":"iso","budget":1000000.0,"runs":2,"models":2,"branches":1,)"
            R"("flops_without_trunks":12500.0,"flops":4500.0})");
  EXPECT_EQ(to_json(plan, time).at("runs"), 4);
  EXPECT_EQ(to_json(plan, time).at("flops_without_trunks"), 47500);
  EXPECT_EQ(to_json(plan, time).at("flops"), 39500);
  EXPECT_EQ(to_json(plan, time).at("jobs"), 2);
  EXPECT_EQ(to_json(plan, time).at("seconds"), time.seconds);
  SweepTime unknown;
  unknown.why_unknown = "no such device";
  EXPECT_EQ(to_json(plan, unknown).at("seconds"), nullptr);
  EXPECT_THAT(to_text(plan, unknown), testing::HasSubstr("time: not known: no such device\n"));
  plan.runs[1].trunk = "";
  plan.runs[1].branch_step = 0;
  EXPECT_THAT(to_text(plan, time), testing::HasSubstr("with the head; no runs share a trunk\n"));
}

// Four times the data are read without a word.
TEST_F(SweepResults, RunsThatReadTheirDataTooOftenAreCounted) {
  const auto told = [&](std::int64_t unique) {
    plan_.unique_tokens = unique;
    return to_text(plan_, SweepTime{});
  };
  EXPECT_THAT(told(15), testing::Not(testing::HasSubstr("more than"))) << "60 of 15";
  EXPECT_THAT(told(14), testing::HasSubstr("3 runs read the data of 14 tokens more than 4 times"));
}

// Of 60 tokens at 1 FLOP each, 40 after the branch.
TEST_F(SweepResults, APartTellsWhatItsTrunksSave) {
  for (SweepRun& run : plan_.runs) run.flops_per_token = 1;
  plan_.runs[1].trunk = "one";
  plan_.runs[1].branch_step = 2;
  EXPECT_EQ(part_text(plan_, {true, true, true}, 4),
            "3 runs, 4 at a time; trunks save 11 % of 1.80e2 FLOPs");
  EXPECT_EQ(part_text(plan_, {true, true, false}, 2),
            "2 runs, 2 at a time; trunks save 17 % of 1.20e2 FLOPs");
  EXPECT_EQ(part_text(plan_, {true, false, true}, 1), "2 runs, 1 at a time");
  EXPECT_EQ(sweep_flops(SweepPlan{}).saving(), 0);
}

}  // namespace
}  // namespace fathom::scaling

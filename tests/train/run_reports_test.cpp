// What a run writes of its steps, validations and samples, figure by figure.
#include "train/run_reports.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "core/progress.h"
#include "train/metric_names.h"
#include "train/rank_config.h"

namespace fathom {
namespace {

using test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing::UnorderedElementsAre;

// Steps of 8 sequences of 16 tokens.
struct Reported {
  explicit Reported(const TempDir& dir) {
    TrainConfig config = test::rank_config(dir, "run", 2, 4);
    config.train.steps = 12;
    config.train.log_seconds = 0;
    std::filesystem::create_directories(config.output);
    plan = resolve(config, {256, 10000});
    plan.flops_per_token = 1e6;
    machine.gemm_peak = 1e9;
    machine.memory_table = "the memory";
  }

  // What `report` does, and what it logs.
  template <class F>
  std::string log_of(F&& report) {
    RunReports reports(plan, machine, {});
    testing::internal::CaptureStderr();
    report(reports);
    return testing::internal::GetCapturedStderr();
  }
  std::string read(const char* name) const {
    return test::read_file(plan.config.output + "/" + name);
  }
  std::vector<MetricsRecord> metrics() const {
    return read_metrics(plan.config.output + "/metrics.jsonl");
  }
  // TensorBoard's events, whose text stands in them as it is.
  std::string events() const {
    std::string all;
    for (const auto& file :
         std::filesystem::directory_iterator(plan.config.output + "/tensorboard")) {
      all += test::read_file(file.path());
    }
    return all;
  }

  TrainPlan plan;
  Machine machine;
};

StepRecord third_step() {
  StepRecord step;
  step.after = {3, 3 * 128, 24, 30};
  step.result = {2.5, 1.5};
  step.learning_rate = 1e-3;
  step.seconds = 0.5;
  step.figures.values = {{"margin", 0.25}};
  return step;
}

// Of steps of 8 samples: the third one ends with sample 24, the first of a phase's own.
TEST(RunReports, AStepTellsThePhaseOfItsLastSample) {
  const TempDir dir;
  Reported reported(dir);
  const auto phase_of_third = [&](std::int64_t first_token) {
    reported.plan.config.data.phases = {{{}, first_token, {}, {{"a", 1}}}};
    const std::string log = reported.log_of([](RunReports& reports) {
      reports.step(third_step());
      StepRecord fourth = third_step();
      fourth.after = {4, 4 * 128, 32, 40};
      reports.step(fourth);
    });
    EXPECT_THAT(log, HasSubstr(first_token < 24 * 16 ? "step 3: phase 2 of the data has begun"
                                                     : "step 4: phase 2 of the data has begun"));
    return *reported.metrics().front().find(metric::data_phase);
  };
  EXPECT_EQ(phase_of_third(23 * 16), 2);
  EXPECT_EQ(phase_of_third(24 * 16), 1);
}

TEST(RunReports, AStepIsRecordedWithItsRates) {
  const TempDir dir;
  Reported reported(dir);
  const std::string log = reported.log_of([](RunReports& reports) { reports.step(third_step()); });
  const std::vector<MetricsRecord> records = reported.metrics();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].step, 3);
  EXPECT_THAT(records[0].values,
              UnorderedElementsAre(
                  Pair("loss", 2.5), Pair("gradient_norm", 1.5), Pair("margin", 0.25),
                  Pair("learning_rate", 1e-3), Pair("tokens", 384), Pair("tokens_per_second", 256),
                  Pair("share_of_peak", 0.256), Pair("step_seconds", 0.5), Pair("seconds", 30)));
  // A quarter of the steps took 30 seconds.
  EXPECT_THAT(log, HasSubstr("step 3/12  loss 2.5000  norm 1.500  lr 1.00e-03  256 tok/s  26 % of "
                             "peak  1 min 30 s left\n"));
  for (const char* name : {"loss", "margin", "share_of_peak"}) {
    EXPECT_THAT(reported.events(), HasSubstr(name));
  }
}

LossForecast forecast(LossForecast::Figure figure) {
  return {"mine.json", figure, {{128, 3, 2.9, 3.1}, {12 * 128, 2, 1.9, 2.1}}};
}

TEST(RunReports, ARunThatLeavesWhatLawsPredictIsToldOf) {
  const TempDir dir;
  Reported reported(dir);
  reported.plan.forecast = forecast(LossForecast::Figure::loss);
  const std::string log = reported.log_of([](RunReports& reports) {
    for (std::int64_t i = 1; i <= 12; ++i) {
      StepRecord step = third_step();
      step.after = {i, i * 128, i * 8, 30};
      reports.step(step);
    }
  });
  // The mean of ten steps is known at the tenth; above the band counts at the end alone.
  EXPECT_THAT(log, HasSubstr("warning: step 12: the loss (mean of the last 10 steps) is 2.5000, "
                             "above the 1.9000 to 2.1000 that mine.json predicts"));
  EXPECT_EQ(log.find("warning"), log.rfind("warning"));
}

TEST(RunReports, HeldOutTextThatLeavesWhatLawsPredictIsToldOf) {
  const TempDir dir;
  Reported reported(dir);
  reported.plan.forecast = forecast(LossForecast::Figure::bits_per_byte);
  MetricsRecord validation{3, {}};
  validation.add(metric::validation_loss, 2.5);
  validation.add(metric::bits_per_byte, 1.25);
  const std::string log = reported.log_of([&](RunReports& reports) {
    reports.validation(validation);  // before the first step: no tokens
    reports.step(third_step());
    reports.validation(validation);
  });
  EXPECT_THAT(log, HasSubstr("warning: step 3: held-out text takes 1.2500 bits per byte, below"));
  EXPECT_EQ(log.find("warning"), log.rfind("warning"));
}

TEST(RunReports, ASkippedStepIsNamed) {
  const TempDir dir;
  Reported reported(dir);
  StepRecord step = third_step();
  step.skipped = true;
  EXPECT_THAT(reported.log_of([&](RunReports& reports) { reports.step(step); }),
              HasSubstr("  (skipped)\n"));
}

TEST(RunReports, NothingIsLeftToSayBeforeTheRunHasGoneOn) {
  const TempDir dir;
  Reported reported(dir);
  reported.plan.max_steps = 0;
  EXPECT_THAT(reported.log_of([](RunReports& reports) { reports.step(third_step()); }),
              HasSubstr("  0.0 s left\n"));
}

TEST(RunReports, AValidationIsLoggedWhereItHasBothFigures) {
  const TempDir dir;
  Reported reported(dir);
  const auto log_of = [&](std::vector<std::pair<std::string, double>> values) {
    return reported.log_of([&](RunReports& reports) {
      reports.validation({7, std::move(values)});
    });
  };
  EXPECT_EQ(log_of({{"validation_loss", 2.5}, {"bits_per_byte", 1.25}}),
            "step 7: validation loss 2.5000, 1.2500 bits per byte\n");
  EXPECT_THAT(reported.events(), HasSubstr("bits_per_byte"));
  EXPECT_EQ(log_of({{"validation_loss", 3}}), "");
  EXPECT_EQ(log_of({{"bits_per_byte", 1}}), "");
  ASSERT_EQ(reported.metrics().size(), 1u);
  EXPECT_THAT(reported.metrics()[0].values, ElementsAre(Pair("bits_per_byte", 1)));
}

TEST(RunReports, SamplesAreWrittenAndTheFirstIsLogged) {
  const TempDir dir;
  Reported reported(dir);
  std::string sixty;
  for (int i = 0; i < 60; ++i) sixty += "é";
  const auto log_of = [&](const std::string& text) {
    const SamplePoint point{4, {{"Once", text}, {"Then", " a\nb"}}};
    return reported.log_of([&](RunReports& reports) { reports.samples(point); });
  };
  EXPECT_EQ(log_of(sixty), "step 4: \"Once\" goes on \"" + sixty + "\"\n");
  EXPECT_EQ(log_of(sixty + "!"), "step 4: \"Once\" goes on \"" + sixty + "...\"\n");
  EXPECT_EQ(log_of(""), "step 4: \"Once\" goes on \"\"\n");
  const std::vector<SamplePoint> points =
      read_samples(reported.plan.config.output + "/samples.jsonl");
  ASSERT_EQ(points.size(), 1u);
  EXPECT_EQ(points[0].step, 4);
  EXPECT_THAT(points[0].samples, ElementsAre(TextSample{"Once", ""}, TextSample{"Then", " a\nb"}));
  const std::string events = reported.events();
  EXPECT_THAT(events, HasSubstr("samples/1"));
  EXPECT_THAT(events, HasSubstr("samples/2"));
  EXPECT_THAT(events, Not(HasSubstr("samples/0")));
  EXPECT_THAT(events, HasSubstr("    Once"));
  EXPECT_THAT(events, HasSubstr("    Then a\n    b"));
}

TEST(RunReports, ThePageHasItsFiguresItsCurvesAndItsConfig) {
  const TempDir dir;
  Reported reported(dir);
  reported.log_of([](RunReports& reports) {
    reports.step(third_step());
    reports.samples({3, {{"Once", " upon"}}});
    reports.write_page({3, 384, 24, 30}, "seed = 7");
  });
  const std::string page = reported.read("report.html");
  const std::int64_t parameters = count_parameters(reported.plan.config.model);
  EXPECT_THAT(page, HasSubstr("<dt>parameters</dt><dd>" + human_count(double(parameters))));
  EXPECT_THAT(page, HasSubstr("<dt>tokens</dt><dd>384</dd>"));
  EXPECT_THAT(page, HasSubstr("<dt>time</dt><dd>30 s</dd>"));
  for (const char* text : {"<title>run", "the memory", "seed = 7", "Once", " upon"}) {
    EXPECT_THAT(page, HasSubstr(text));
  }
}

}  // namespace
}  // namespace fathom

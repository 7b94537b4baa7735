// What a run writes of its steps, validations and samples, figure by figure.
#include "train/run_reports.h"

#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>

#include "checkpoint/checkpoint.h"
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

// Of rows that are padded, or only partly learned: 384 tokens of an epoch of 10000.
TEST(RunReports, AStepIsRecordedWithItsCountsOfTokens) {
  const TempDir dir;
  Reported reported(dir);
  StepRecord step = third_step();
  step.figures.counts = TokenCounts{128, 32, 40};
  reported.log_of([&](RunReports& reports) { reports.step(step); });
  const MetricsRecord record = reported.metrics().at(0);
  EXPECT_EQ(*record.find("targets"), 40);
  EXPECT_EQ(*record.find("targets_per_second"), 80);
  EXPECT_EQ(*record.find("padding_share"), 0.25);
  EXPECT_EQ(*record.find("epoch"), 0.0384);
  EXPECT_EQ(*record.find("tokens_per_second"), 256);
}

RepetitionResult measured_repetition(std::size_t answers) {
  RepetitionResult result;
  result.figures = {std::int64_t(answers), 0.25, 0.5, 12.25, {0.1, 0.2, 0.3, 0.4}};
  for (std::size_t i = 1; i <= answers; ++i) {
    result.answers.push_back({fmt::format("question {}.", i), fmt::format(" answer {}.", i)});
  }
  return result;
}

TEST(RunReports, RepetitionIsRecordedWithItsAnswers) {
  const TempDir dir;
  Reported reported(dir);
  reported.plan.config.repetition.prompts = {"any"};
  const std::string log =
      reported.log_of([](RunReports& reports) { reports.repetition(3, measured_repetition(10)); });
  EXPECT_EQ(log,
            "step 3: of 10 answers 25.0 % never end and repeat, 50.0 % end; 12.2 tokens on "
            "average, 0.400 of their 4-grams are repeated\n");
  const MetricsRecord record = reported.metrics().at(0);
  EXPECT_EQ(record.step, 3);
  EXPECT_THAT(
      record.values,
      UnorderedElementsAre(Pair("repetition", 0.25), Pair("repetition/ended", 0.5),
                           Pair("repetition/tokens", 12.25), Pair("repetition/seq_rep_1", 0.1),
                           Pair("repetition/seq_rep_2", 0.2), Pair("repetition/seq_rep_3", 0.3),
                           Pair("repetition/seq_rep_4", 0.4)));
  const std::vector<SamplePoint> points =
      read_samples(reported.plan.config.output + "/answers.jsonl");
  ASSERT_EQ(points.size(), 1u);
  EXPECT_EQ(points[0].step, 3);
  EXPECT_EQ(points[0].samples, measured_repetition(10).answers);
  const std::string events = reported.events();
  EXPECT_THAT(events, HasSubstr("repetition/seq_rep_4"));
  EXPECT_THAT(events, HasSubstr("    question 8. answer 8."));
  EXPECT_THAT(events, Not(HasSubstr("question 9.")));
  EXPECT_THAT(events, HasSubstr("answers/8"));
  EXPECT_THAT(events, Not(HasSubstr("answers/0")));
}

TEST(RunReports, ABenchmarkIsRecordedWithItsError) {
  const TempDir dir;
  Reported reported(dir);
  const auto log_of = [&](double error) {
    return reported.log_of([&](RunReports& reports) {
      reports.benchmark(3, {"piqa", "acc_norm", 0.625, error, 70});
    });
  };
  EXPECT_EQ(log_of(0.03125), "step 3: piqa acc_norm 0.6250 ± 0.0312, of 70 items\n");
  EXPECT_THAT(
      reported.metrics().at(0).values,
      ElementsAre(Pair("eval/piqa/acc_norm", 0.625), Pair("eval/piqa/acc_norm_stderr", 0.03125)));
  EXPECT_THAT(reported.events(), HasSubstr("eval/piqa/acc_norm"));
  EXPECT_THAT(reported.events(), Not(HasSubstr("stderr")));
  EXPECT_EQ(log_of(std::nan("")), "step 3: piqa acc_norm 0.6250, of 70 items\n");
  EXPECT_EQ(reported.metrics().at(0).step, 3);
}

// Of the checkpoints that are there; 0.02 is the default limit.
TEST(RunReports, ACheckpointIsRecommendedWhereRepetitionIsMeasured) {
  const TempDir dir;
  Reported reported(dir);
  const std::string checkpoints = reported.plan.config.output + "/checkpoints";
  const auto log_of = [&](double repetition) {
    return reported.log_of([&](RunReports& reports) {
      for (const std::int64_t step : {4, 8}) {
        std::filesystem::create_directories(checkpoints + "/" + checkpoint_name(step));
        RepetitionResult result = measured_repetition(1);
        result.figures.repeating = repetition * double(step) / 4;
        MetricsRecord validation{step, {}};
        validation.add(metric::validation_loss, 3 - 0.125 * double(step));
        validation.add(metric::bits_per_byte, 1);
        reports.validation(validation);
        reports.repetition(step, result);
      }
      reports.recommend_checkpoint();
      reports.write_page({8, 1024, 64, 30}, "");
    });
  };
  EXPECT_THAT(log_of(0.01), Not(HasSubstr("/checkpoints/"))) << "without a meter";
  EXPECT_THAT(reported.read("report.html"), Not(HasSubstr("checkpoint to use")));
  reported.plan.config.repetition.prompts = {"any"};
  EXPECT_THAT(log_of(0.01),
              HasSubstr(checkpoints + "/step-00000008: of the checkpoints that were measured the "
                                      "one with the lowest loss and repetition of at most 2.0 %: "
                                      "validation loss 2.0000, 2.0 % of answers never end and "
                                      "repeat\n"));
  EXPECT_THAT(reported.read("report.html"),
              HasSubstr("<dt>checkpoint to use</dt><dd>step-00000008</dd>"));
  EXPECT_THAT(log_of(0.0625),
              HasSubstr(checkpoints + "/step-00000004: of the checkpoints that were measured the "
                                      "one with the lowest repetition, for none has 2.0 % or "
                                      "less: validation loss 2.5000, 6.2 % of answers"));
  EXPECT_THAT(reported.read("report.html"),
              HasSubstr("<dt>checkpoint to use</dt><dd>step-00000004</dd>"));
}

// The run's name and where it was; a checkpoint that is not in a run's directory has its own name.
TEST(RunReports, ThePageSaysWhatTheRunContinues) {
  const TempDir dir;
  Reported reported(dir);
  const auto page = [&](const std::string& checkpoint) {
    reported.plan.branch = BranchState{checkpoint, 1200, 0, 0, 1, {}};
    reported.log_of([](RunReports& reports) { reports.write_page({3, 384, 24, 30}, ""); });
    return reported.read("report.html");
  };
  EXPECT_THAT(page("runs/first/checkpoints/step-00001200"),
              HasSubstr("<dt>continues</dt><dd>first, step 1200</dd>"));
  EXPECT_THAT(page("kept/good"), HasSubstr("<dt>continues</dt><dd>good, step 1200</dd>"));
}

// Records behind the step from which the run goes on are of a past that is done again.
TEST(RunReports, WhatTheRunDoesAgainIsCutOff) {
  const TempDir dir;
  Reported reported(dir);
  reported.plan.config.repetition.prompts = {"any"};
  reported.log_of([](RunReports& reports) {
    for (const std::int64_t i : {3, 4, 5}) {
      StepRecord step = third_step();
      step.after = {i, i * 128, i * 8, 30};
      reports.step(step);
      reports.samples({i, {{"Once", "a"}}});
      reports.repetition(i, measured_repetition(1));
    }
  });
  const RunPosition from{4, 4 * 128, 32, 30};
  { const RunReports again(reported.plan, reported.machine, from); }
  EXPECT_EQ(reported.metrics().back().step, 4);
  for (const char* file : {"/samples.jsonl", "/answers.jsonl"}) {
    const std::vector<SamplePoint> points = read_samples(reported.plan.config.output + file);
    ASSERT_EQ(points.size(), 2u) << file;
    EXPECT_EQ(points.back().step, 4) << file;
  }
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

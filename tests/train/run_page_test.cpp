#include "train/run_page.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "train/metric_names.h"

namespace fathom {
namespace {

using testing::ElementsAre;

const Chart* chart_named(const Page& page, const std::string& title) {
  for (const Section& section : page.sections) {
    for (const SectionPart& part : section.parts) {
      const Chart* chart = std::get_if<Chart>(&part);
      if (chart && chart->title == title) return chart;
    }
  }
  return nullptr;
}

MetricsRecord step_record(std::int64_t step) {
  MetricsRecord record;
  record.step = step;
  record.add(metric::loss, 4.0 + double(step));
  record.add(metric::gradient_norm, 2);
  record.add(metric::learning_rate, 3e-4);
  record.add(metric::tokens_per_second, 12000);
  record.add(metric::step_seconds, 0.5);
  return record;
}

TEST(RunPage, ChartsWhatARunRecords) {
  std::vector<MetricsRecord> records{step_record(1), step_record(2)};
  MetricsRecord& validation = records.emplace_back();
  validation.step = 2;
  validation.add(metric::validation_loss, 7);
  validation.add(metric::of_source(metric::bits_per_byte, "en"), 1.5);
  validation.add(metric::bits_per_byte, 1.25);
  const Page page = run_page({"run", {{"tokens", "1k"}}, "seed = 1", "table"}, records, {});
  EXPECT_EQ(page.title, "run");

  const Chart* loss = chart_named(page, "Loss");
  ASSERT_NE(loss, nullptr);
  EXPECT_EQ(loss->y.unit, "nats per token");
  ASSERT_EQ(loss->series.size(), 2u);
  EXPECT_EQ(loss->series[0].name, "training");
  EXPECT_THAT(loss->series[0].x, ElementsAre(1, 2));
  EXPECT_THAT(loss->series[0].y, ElementsAre(5, 6));
  EXPECT_EQ(loss->series[1].name, "validation");
  EXPECT_THAT(loss->series[1].x, ElementsAre(2));
  EXPECT_THAT(loss->series[1].y, ElementsAre(7));

  const Chart* bits = chart_named(page, "Held-out text");
  ASSERT_NE(bits, nullptr);
  ASSERT_EQ(bits->series.size(), 2u);
  EXPECT_EQ(bits->series[0].name, "en");
  EXPECT_EQ(bits->series[1].name, "all");

  const auto values = [&](const char* title) { return chart_named(page, title)->series[0].y; };
  EXPECT_THAT(values("Gradient norm"), ElementsAre(2, 2));
  EXPECT_EQ(chart_named(page, "Gradient norm")->y.scale, Axis::Scale::logarithmic);
  EXPECT_THAT(values("Learning rate"), ElementsAre(3e-4, 3e-4));
  EXPECT_THAT(values("Throughput"), ElementsAre(12000, 12000));
  EXPECT_THAT(values("Step time"), ElementsAre(0.5, 0.5));

  const std::string html = page_html(page);
  for (const char* text :
       {"<dt>tokens</dt><dd>1k</dd>", "<pre>seed = 1</pre>", "<pre>table</pre>"}) {
    EXPECT_NE(html.find(text), std::string::npos) << text;
  }
}

// In this order, each with its axis.
TEST(RunPage, HasAChartOfEachFigure) {
  std::vector<MetricsRecord> records{step_record(1)};
  records[0].add(metric::targets_per_second, 900);
  records[0].add(metric::padding_share, 0.25);
  const Page page = run_page({"run", {}, "", ""}, records, {});
  std::vector<std::string> charts;
  for (const SectionPart& part : page.sections.at(1).parts) {
    const Chart& chart = std::get<Chart>(part);
    EXPECT_EQ(chart.x.name, "step");
    EXPECT_EQ(chart.x.scale, Axis::Scale::linear);
    EXPECT_EQ(chart.y.scale == Axis::Scale::logarithmic, chart.title == "Gradient norm");
    charts.push_back(fmt::format("{}: {} [{}]", chart.title, chart.y.name, chart.y.unit));
    for (const Series& series : chart.series) charts.back() += ", " + series.name;
  }
  EXPECT_THAT(charts,
              ElementsAre("Loss: loss [nats per token], training, validation",
                          "Held-out text: compression [bits per byte]",
                          "Learning rate: learning rate [], learning rate",
                          "Gradient norm: norm before clipping [], gradient norm",
                          "Throughput: throughput [tokens/s], tokens/s",
                          "Step time: step time [s], step time",
                          "Repetition: share [], answers that never end and repeat, answers that "
                          "end, repeated 4-grams",
                          "Learned tokens: learned [tokens/s], tokens/s",
                          "Padding: share of the computed tokens [], padding"));
  EXPECT_THAT(chart_named(page, "Learned tokens")->series[0].y, ElementsAre(900));
  EXPECT_THAT(chart_named(page, "Padding")->series[0].y, ElementsAre(0.25));
  EXPECT_EQ(chart_named(run_page({"run", {}, "", ""}, {step_record(1)}, {}), "Padding"), nullptr);
}

TEST(RunPage, HasItsSectionsInTheirOrder) {
  const SamplePoint point{1, {{"Once", "a"}}};
  const Page page = run_page({"run", {{"a", "b"}}, "the config", "the memory", "the reading"},
                             {step_record(1)}, {point}, {point});
  std::vector<std::string> titles;
  for (const Section& section : page.sections) titles.push_back(section.title);
  EXPECT_THAT(titles, ElementsAre("", "Curves", "Samples", "Answers", "Settings"));
  std::vector<std::string> settings;
  for (const SectionPart& part : page.sections.back().parts) {
    const auto& text = std::get<Preformatted>(part);
    settings.push_back(text.title + ": " + text.text);
  }
  EXPECT_THAT(settings, ElementsAre("Data, as planned: the reading",
                                    "Memory, as planned: the memory", "Configuration: the config"));
}

TEST(RunPage, DrawsWhatLawsPredictBesideTheFigureThatTheyPredict) {
  std::vector<MetricsRecord> records{step_record(1), step_record(2)};
  for (MetricsRecord& record : records) record.add(metric::tokens, 100 * double(record.step));
  MetricsRecord& validation = records.emplace_back();
  validation.step = 2;
  validation.add(metric::validation_loss, 7);
  validation.add(metric::bits_per_byte, 1.25);
  RunSummary summary{"run", {}, "", ""};
  const auto series_of = [&](const char* title) {
    return chart_named(run_page(summary, records, {}), title)->series;
  };
  EXPECT_EQ(series_of("Loss").size(), 2u);
  summary.forecast = LossForecast{
      "mine.json", LossForecast::Figure::loss, {{100, 3, 2.9, 3.1}, {200, 2, 1.9, 2.1}}};
  ASSERT_EQ(series_of("Loss").size(), 4u);
  EXPECT_EQ(series_of("Held-out text").size(), 1u);
  EXPECT_THAT(series_of("Loss")[2].y,
              ElementsAre(testing::DoubleNear(3, 1e-9), testing::DoubleNear(2, 1e-9)));
  EXPECT_THAT(series_of("Loss")[3].y, ElementsAre(2));
  EXPECT_NE(page_html(run_page(summary, records, {})).find("predicted by mine.json"),
            std::string::npos);
  summary.forecast->figure = LossForecast::Figure::bits_per_byte;
  EXPECT_EQ(series_of("Loss").size(), 2u);
  EXPECT_EQ(series_of("Held-out text").size(), 3u);
}

TEST(RunPage, MarksWhereTheDataChanged) {
  std::vector<MetricsRecord> records{step_record(1), step_record(2), step_record(3),
                                     step_record(4)};
  EXPECT_TRUE(chart_named(run_page({"run", {}, "", ""}, records, {}), "Loss")->events.empty());
  for (MetricsRecord& record : records) {
    record.add(metric::data_phase, record.step < 3 ? 2 : record.step);
  }
  records.insert(records.begin() + 2, {2, {{"validation_loss", 7}}});
  const Page page = run_page({"run", {}, "", "", "the reading"}, records, {});
  const std::vector<ChartEvent> events = chart_named(page, "Loss")->events;
  ASSERT_EQ(events.size(), 2u) << "the second phase was there at the beginning";
  EXPECT_EQ(events[0].name, "data phase 3");
  EXPECT_EQ(events[0].x, 3);
  EXPECT_EQ(events[1].x, 4);
  EXPECT_EQ(chart_named(page, "Learning rate")->events.size(), 2u);
  EXPECT_NE(page_html(page).find("<summary>Data, as planned</summary><pre>the reading</pre>"),
            std::string::npos);
}

TEST(RunPage, DrawsBenchmarksBesideTheLosses) {
  std::vector<MetricsRecord> records{step_record(1), step_record(2)};
  const auto add = [&](std::int64_t step, const char* task, const char* score, double value,
                       double error) {
    const std::string name = metric::of_benchmark(task, score);
    records.push_back({step, {{name, value}, {name + "_stderr", error}}});
  };
  add(1, "piqa", "acc_norm", 0.5, 0.1);
  add(1, "pile", "bits_per_byte", 1.5, 0.01);
  add(2, "piqa", "acc_norm", 0.6, 0.1);
  add(2, "gsm8k", "exact_match,none", 0.1, std::nan(""));
  add(2, "mmlu/law", "acc", 0.3, 0.1);  // a part of a task
  const Page page = run_page({"run", {}, "", ""}, records, {});
  const Chart* shares = chart_named(page, "Benchmarks");
  ASSERT_NE(shares, nullptr);
  ASSERT_EQ(shares->series.size(), 3u);
  EXPECT_EQ(shares->series[2].name, "mmlu/law acc");
  EXPECT_EQ(shares->series[0].name, "piqa acc_norm");
  EXPECT_THAT(shares->series[0].x, ElementsAre(1, 2));
  EXPECT_THAT(shares->series[0].y, ElementsAre(0.5, 0.6));
  EXPECT_NEAR(shares->series[0].low[0], 0.5 - 0.196, 1e-4);
  EXPECT_NEAR(shares->series[0].high[1], 0.6 + 0.196, 1e-4);
  EXPECT_EQ(shares->series[1].name, "gsm8k exact_match,none");
  const Chart* bits = chart_named(page, "Benchmarks: bits_per_byte");
  ASSERT_NE(bits, nullptr);
  EXPECT_THAT(bits->series.at(0).y, ElementsAre(1.5));
  const std::vector<SectionPart>& parts = page.sections.at(1).parts;
  EXPECT_EQ(std::get<Chart>(parts.at(1)).title, "Held-out text");
  EXPECT_EQ(std::get<Chart>(parts.at(2)).title, "Benchmarks");
}

// Shares of right answers share a chart; any other score has one of its own, by its name.
TEST(RunPage, BenchmarksWithAUnitOfTheirOwnHaveChartsOfTheirOwn) {
  std::vector<MetricsRecord> records;
  for (const char* name :
       {"eval/wiki/word_perplexity", "eval/piqa/acc", "eval/wiki/byte_perplexity",
        "eval/lambada/perplexity", "eval/ptb/word_perplexity", "eval/alone", "other/piqa/acc"}) {
    records.push_back({1, {{name, 2}}});
  }
  const Page page = run_page({"run", {}, "", ""}, records, {});
  std::vector<std::string> charts;
  for (const SectionPart& part : page.sections.at(1).parts) {
    const Chart& chart = std::get<Chart>(part);
    if (!chart.title.starts_with("Benchmarks")) continue;
    charts.push_back(fmt::format("{}: {} [{}]", chart.title, chart.y.name, chart.y.unit));
    for (const Series& series : chart.series) {
      charts.back() += ", " + series.name;
      EXPECT_TRUE(series.low.empty() && series.high.empty()) << "no error is known";
    }
  }
  EXPECT_THAT(
      charts,
      ElementsAre("Benchmarks: word_perplexity: word_perplexity [], wiki word_perplexity, ptb "
                  "word_perplexity",
                  "Benchmarks: right answers [share], piqa acc",
                  "Benchmarks: byte_perplexity: byte_perplexity [], wiki byte_perplexity",
                  "Benchmarks: perplexity: perplexity [], lambada perplexity"));
}

// 95 % of a normal distribution; none where an error is missing at one of the steps.
TEST(RunPage, BenchmarksHaveTheIntervalOfTheirStandardErrors) {
  std::vector<MetricsRecord> records{{1, {{"eval/piqa/acc", 0.5}, {"eval/piqa/acc_stderr", 0.1}}},
                                     {2, {{"eval/piqa/acc", 0.7}, {"eval/piqa/acc_stderr", 0.2}}}};
  const auto series = [&] {
    return chart_named(run_page({"run", {}, "", ""}, records, {}), "Benchmarks")->series.at(0);
  };
  EXPECT_THAT(series().low, ElementsAre(testing::DoubleNear(0.5 - 0.1959964, 1e-12),
                                        testing::DoubleNear(0.7 - 0.3919928, 1e-12)));
  EXPECT_THAT(series().high, ElementsAre(testing::DoubleNear(0.5 + 0.1959964, 1e-12),
                                         testing::DoubleNear(0.7 + 0.3919928, 1e-12)));
  records[1].values.pop_back();
  EXPECT_THAT(series().y, ElementsAre(0.5, 0.7));
  EXPECT_TRUE(series().low.empty() && series().high.empty());
}

TEST(RunPage, SaysThatThereIsNothingYet) {
  const std::string html = page_html(run_page({"run", {}, "", ""}, {}, {}));
  EXPECT_NE(html.find("<p>No step has been recorded yet.</p>"), std::string::npos);
  EXPECT_EQ(html.find("<h2>Samples</h2>"), std::string::npos);
}

const Section* samples_section(const Page& page) {
  const auto found = std::ranges::find(page.sections, "Samples", &Section::title);
  return found == page.sections.end() ? nullptr : &*found;
}

std::vector<Continuations> samples_of(const Page& page) {
  std::vector<Continuations> all;
  for (const SectionPart& part : samples_section(page)->parts) {
    if (const auto* texts = std::get_if<Continuations>(&part)) all.push_back(*texts);
  }
  return all;
}

TEST(RunPage, ShowsTheNewestSamplesFirst) {
  const Page page = run_page(
      {"run", {}, "", ""}, {step_record(1)},
      {{100, {{"Once", " a"}, {"从前", "b"}}}, {200, {{"Once", " c"}}}, {200, {{"Once", " d"}}}});
  const std::vector<Continuations> samples = samples_of(page);
  ASSERT_EQ(samples.size(), 2u) << "one a step";
  EXPECT_EQ(samples[0].title, "Step 200");
  EXPECT_EQ(samples[0].fold, Fold::open);
  ASSERT_EQ(samples[0].texts.size(), 1u);
  EXPECT_EQ(samples[0].texts[0].rest, " d") << "the last of a step";
  EXPECT_EQ(samples[1].title, "Step 100");
  EXPECT_EQ(samples[1].fold, Fold::closed);
  ASSERT_EQ(samples[1].texts.size(), 2u);
  EXPECT_EQ(samples[1].texts[1].beginning, "从前");
  EXPECT_EQ(samples[1].texts[1].rest, "b");
  EXPECT_EQ(page_html(page).find("samples.jsonl has all"), std::string::npos);
}

// Of 100 points the first and the last are among those shown, and what lies between is even.
TEST(RunPage, ShowsSomeOfManySamples) {
  std::vector<SamplePoint> points;
  for (int i = 1; i <= 100; ++i) points.push_back({i, {{"Once", "a"}}});
  const Page page = run_page({"run", {}, "", ""}, {step_record(1)}, points);
  const std::vector<Continuations> samples = samples_of(page);
  ASSERT_EQ(samples.size(), 20u);
  EXPECT_EQ(samples.front().title, "Step 100");
  EXPECT_EQ(samples[1].title, "Step 95");
  EXPECT_EQ(samples.back().title, "Step 1");
  EXPECT_NE(page_html(page).find("20 of 100 points: samples.jsonl has all."), std::string::npos);
}

// Twenty are shown whole; of 21 one in the middle is left out.
TEST(RunPage, ShowsTwentyPointsAtMost) {
  const auto page_of = [](int count) {
    std::vector<SamplePoint> points;
    for (int i = 1; i <= count; ++i) points.push_back({i, {{"Once", "a"}}});
    return run_page({"run", {}, "", ""}, {step_record(1)}, points);
  };
  for (const int count : {1, 2, 19, 20}) {
    const std::vector<Continuations> samples = samples_of(page_of(count));
    ASSERT_EQ(std::ssize(samples), count);
    EXPECT_EQ(samples.front().title, fmt::format("Step {}", count));
    EXPECT_EQ(samples.back().title, "Step 1");
    EXPECT_EQ(page_html(page_of(count)).find("samples.jsonl has all"), std::string::npos);
  }
  const Page more = page_of(21);
  const std::vector<Continuations> samples = samples_of(more);
  ASSERT_EQ(samples.size(), 20u);
  EXPECT_EQ(samples.front().title, "Step 21");
  EXPECT_EQ(samples.back().title, "Step 1");
  EXPECT_NE(page_html(more).find("newest first. 20 of 21 points: samples.jsonl has all."),
            std::string::npos);
}

TEST(RunPage, ShowsRepetitionAndSomeAnswers) {
  MetricsRecord record = step_record(100);
  record.add(metric::repetition, 0.25);
  record.add(metric::answers_ended, 0.5);
  record.add("repetition/seq_rep_4", 0.125);
  SamplePoint answers{100, {}};
  for (int i = 0; i < 20; ++i) answers.samples.push_back({fmt::format("question {}", i), "a"});
  const Page page = run_page({"run", {}, "", ""}, {record}, {}, {answers});
  const Chart* const chart = chart_named(page, "Repetition");
  ASSERT_NE(chart, nullptr);
  ASSERT_EQ(chart->series.size(), 3u);
  EXPECT_THAT(chart->series[0].y, ElementsAre(0.25));
  EXPECT_THAT(chart->series[1].y, ElementsAre(0.5));
  EXPECT_THAT(chart->series[2].y, ElementsAre(0.125));
  const std::string html = page_html(page);
  EXPECT_NE(html.find("<h2>Answers</h2>"), std::string::npos);
  EXPECT_NE(html.find("question 7"), std::string::npos);
  EXPECT_EQ(html.find("question 8"), std::string::npos) << "eight are enough";
  EXPECT_EQ(page_html(run_page({"run", {}, "", ""}, {step_record(1)}, {})).find("Answers"),
            std::string::npos);
}

}  // namespace
}  // namespace fathom

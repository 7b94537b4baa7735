// Results as JSON lines: what is read, and what is refused.
#include "scaling/results.h"

#include <gmock/gmock.h>

#include <cmath>

#include "io/temp_dir.h"

namespace fathom::scaling {
namespace {

using test::input_error_of;
using test::TempDir;
using test::write_file;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

RunResult whole_run() {
  RunResult run;
  run.name = "c3e14-m2e7";
  run.dataset = "wiki";
  run.layers = 8;
  run.width = 512;
  run.model_flops = 3.5e8;
  run.tokens = 8e8;
  run.compute = 2.8e17;
  run.batch_tokens = 131072;
  run.learning_rate = 0.002;
  run.loss = 3.41;
  run.bits_per_byte = 1.13;
  run.unique_tokens = 1e9;
  run.seed = -7;
  return run;
}

TEST(Results, ALineReadsBackAsItsRun) {
  const RunResult run = whole_run();
  const std::string line = result_line(run);
  const RunResult again = parse_result(line, "r:1");
  EXPECT_EQ(result_line(again), line);
  EXPECT_EQ(again.name, "c3e14-m2e7");
  EXPECT_EQ(again.dataset, "wiki");
  EXPECT_EQ(again.width, 512);
  EXPECT_EQ(again.learning_rate, 0.002);
  EXPECT_EQ(again.unique_tokens, 1e9);
  EXPECT_EQ(again.seed, -7);
  EXPECT_FALSE(again.diverged());
}

TEST(Results, ADivergedRunHasANullLoss) {
  RunResult run = whole_run();
  run.loss = INFINITY;
  EXPECT_THAT(result_line(run), HasSubstr(R"("loss":null)"));
  EXPECT_TRUE(parse_result(result_line(run), "r:1").diverged());
}

TEST(Results, WhatIsNotKnownMayBeMissing) {
  const RunResult run =
      parse_result(R"({"name": "a", "model_flops": 2e6, "tokens": 3e6, "loss": 4})", "r:1");
  EXPECT_EQ(run.compute, 6e12);
  EXPECT_EQ(run.dataset, "");
  EXPECT_TRUE(std::isnan(run.learning_rate));
  EXPECT_TRUE(std::isnan(run.unique_tokens));
  EXPECT_TRUE(std::isnan(run.bits_per_byte));
}

TEST(Results, MistakesNameFileLineAndKey) {
  const auto error = [](const char* line) {
    return input_error_of([&] { parse_result(line, "results.jsonl:7"); });
  };
  const std::string good = R"("name": "a", "model_flops": 2e6, "tokens": 3e6, "loss": 4)";
  const auto with = [&](const std::string& more) {
    return error(("{" + good + ", " + more + "}").c_str());
  };
  EXPECT_THAT(error("{"), HasSubstr("results.jsonl:7: not valid JSON"));
  EXPECT_THAT(error("[1]"), HasSubstr("results.jsonl:7: is no JSON object"));
  EXPECT_EQ(error(R"({"name": "a", "model_flops": 2e6, "tokens": 3e6})"),
            "results.jsonl:7: 'loss' is missing");
  EXPECT_EQ(error(R"({"name": "a", "model_flops": 2e6, "tokens": null, "loss": null})"),
            "results.jsonl:7: 'tokens' is null; a run that diverged has a null 'loss' alone");
  EXPECT_EQ(error(R"({"name": "", "model_flops": 2e6, "tokens": 3e6, "loss": 4})"),
            "results.jsonl:7: 'name' is empty");
  EXPECT_EQ(with(R"("learnin_rate": 1)"),
            "results.jsonl:7: 'learnin_rate' is no key of a result; did you mean 'learning_rate'?");
  EXPECT_EQ(with(R"("batch_tokens": 0)"),
            "results.jsonl:7: 'batch_tokens' is 0, not a positive number");
  EXPECT_THAT(with(R"("width": 0)"), HasSubstr("'width' is 0, not a whole number from 1"));
  EXPECT_THAT(with(R"("dataset": 3)"), HasSubstr("'dataset' is 3, not a text"));
  EXPECT_EQ(with(R"("compute": 7e12)"),
            "results.jsonl:7: 'compute' is 7e+12, but model_flops * tokens is 6e+12");
  EXPECT_THAT(with(R"("compute": 5.9e12)"), HasSubstr("'compute' is 5.9e+12, but"));
}

TEST(Results, RunsOfSeveralFilesAreReadInOrder) {
  const TempDir dir;
  RunResult first = whole_run(), second = whole_run();
  second.name = "second";
  write_file(dir / "a.jsonl", result_line(first) + "\n");
  write_file(dir / "b.jsonl", result_line(second) + "\n");
  const Results results = read_results({dir / "a.jsonl", dir / "b.jsonl"});
  ASSERT_EQ(results.runs.size(), 2u);
  EXPECT_EQ(results.runs[1].name, "second");
  EXPECT_THAT(results.notes, IsEmpty());
}

TEST(Results, ARunThatIsThereTwiceCountsOnce) {
  const TempDir dir;
  RunResult run = whole_run();
  const std::string path = dir / "a.jsonl";
  write_file(path, result_line(run) + "\n" + result_line(run) + "\n");
  const Results results = read_results({path});
  EXPECT_EQ(results.runs.size(), 1u);
  EXPECT_THAT(results.notes,
              ElementsAre(path + ":2: run 'c3e14-m2e7' is " + path + ":1's and counts once"));
  // The same name in other data is another run.
  RunResult other = run;
  other.dataset = "books";
  write_file(path, result_line(run) + "\n" + result_line(other) + "\n");
  EXPECT_EQ(read_results({path}).runs.size(), 2u);
  other = run;
  other.loss = 3.5;
  write_file(path, result_line(run) + "\n" + result_line(other) + "\n");
  EXPECT_EQ(input_error_of([&] { read_results({path}); }),
            path + ":2: run 'c3e14-m2e7' is in " + path +
                ":1 with other values; keep one, or give it another name");
}

TEST(Results, AFileWithoutRunsIsRefused) {
  const TempDir dir;
  write_file(dir / "a.jsonl", "");
  EXPECT_EQ(input_error_of([&] { read_results({dir / "a.jsonl"}); }),
            dir / "a.jsonl" + std::string(": no results"));
}

}  // namespace
}  // namespace fathom::scaling

// fathom eval as a user runs it: its table and files, and what it refuses before the model works.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/process.h"
#include "cli/random_model.h"

namespace fathom::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Arguments = std::vector<std::string>;
using Json = nlohmann::json;

class Eval : public testing::Test {
 protected:
  Eval() {
    save_random_model(dir_ / "model", dir_ / "tokenizer.json");
    write_file(dir_ / "data/rows.jsonl",
               "{\"q\": \"one\", \"c\": [\"x\", \"yy\"], \"g\": 0}\n{\"q\": \"two\", \"c\": [\"x\", \"yy\"], \"g\": 1}\n"
               "{\"q\": \"three\", \"c\": [\"x\", \"yy\"], \"g\": 1}\n");
    write_file(dir_ / "tasks/own.toml",
               "metric = \"acc_norm\"\n[data]\nfiles = [\"rows.jsonl\"]\n"
               "[prompt]\ncontext = \"Q: {{ q }} A:\"\nchoice_list = \"c\"\ngold = \"{{ g }}\"\n");
    write_file(dir_ / "tasks/text.toml",
               "mode = \"generate\"\n[data]\nfiles = [\"rows.jsonl\"]\n"
               "[prompt]\ncontext = \"Q: {{ q }} A:\"\ntarget = \"{{ c[0] }}\"\n[generate]\nmax_tokens = 4\n");
  }
  Outcome run(Arguments more, const std::string& tasks = "own") {
    Arguments arguments{"eval", dir_ / "model", "--tasks", tasks, "--data", dir_ / "data", "--configs", dir_ / "tasks"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_fathom(dir_, arguments);
  }

  TempDir dir_;
};

TEST_F(Eval, PrintsATableAndWritesResultsAndSamples) {
  const Outcome outcome = run({"--out", dir_ / "out"}, "own,text");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("acc_norm"), HasSubstr("exact_match"), Not(HasSubstr("acc_bytes"))));
  EXPECT_THAT(outcome.err, HasSubstr("tokens computed"));
  const Json json = Json::parse(read_file(dir_ / "out/results.json"));
  EXPECT_EQ(json["results"]["own"]["items"], 3);
  EXPECT_TRUE(json["results"]["own"]["scores"].contains("acc_norm_stderr"));
  EXPECT_EQ(json["dtype"], "f32");
  EXPECT_THAT(read_file(dir_ / "out/report.html"), HasSubstr("own"));
  int samples = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir_ / "out")) {
    samples += entry.path().filename().string().starts_with("samples_");
  }
  EXPECT_EQ(samples, 2);
}

TEST_F(Eval, TakesShotsLimitsAndKeys) {
  const Outcome outcome = run({"--shots", "1", "--limit", "2", "--set", "prompt.delimiter=", "--all-scores"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("own                           2     1"), HasSubstr("acc_bytes")));
}

// In place of the task's own, none too.
TEST_F(Eval, TakesTheExamplesOfTheTaskOrOfTheCall) {
  write_file(dir_ / "tasks/shown.toml", read_file(dir_ / "tasks/own.toml") + "[shots]\ncount = 1\n");
  const auto row = [&](const Arguments& more) {
    const Outcome outcome = run(more, "shown");
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  };
  EXPECT_THAT(row({}), HasSubstr("shown                         3     1"));
  EXPECT_THAT(row({"--shots", "0"}), HasSubstr("shown                         3     0"));
  EXPECT_THAT(row({"--shots", "2"}), HasSubstr("shown                         3     2"));
}

// Also what other tasks asked before.
TEST_F(Eval, GoesOnWhereItWasStopped) {
  ASSERT_EQ(run({"--out", dir_ / "out", "--limit", "2"}).code, 0);
  const Outcome rest = run({"--out", dir_ / "out", "--all-scores"}), fresh = run({"--all-scores"});
  EXPECT_THAT(rest.err, HasSubstr("4 answers were known from"));
  EXPECT_EQ(rest.out, fresh.out);
  for (const Arguments& other :
       {Arguments{"--dtype", "bf16"}, {"--max-length", "63"}, {"--weights", "int8"}}) {
    EXPECT_THAT(run({"--out", dir_ / "out", other[0], other[1]}).err, Not(HasSubstr("were known")))
        << other[0];
  }
  write_file(dir_ / "out/answers.jsonl", "other\n");
  const Outcome refused = run({"--out", dir_ / "out"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("answers.jsonl:1"));
}

TEST_F(Eval, ShowsOthersBeside) {
  write_file(dir_ / "other.json", "{\"model\": \"big-one\", \"results\": {\"own\": {\"acc_norm,none\": 0.4321}}}");
  write_file(dir_ / "tasks/own.toml", read_file(dir_ / "tasks/own.toml") +
                                          "[[published]]\nmodel = \"Known\"\nvalue = 0.8765\nsource = \"a paper\"\n");
  const Outcome outcome = run({"--out", dir_ / "out", "--beside", dir_ / "other.json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(read_file(dir_ / "out/report.html"),
              AllOf(HasSubstr("big-one"), HasSubstr("0.4321"), HasSubstr("Known"), HasSubstr("0.8765"), HasSubstr("a paper")));
  EXPECT_THAT(run({"--beside", dir_ / "other.json"}).err, HasSubstr("--out"));
  EXPECT_THAT(run({"--out", dir_ / "out", "--beside", dir_ / "none.json"}).err, HasSubstr("none.json"));
}

TEST_F(Eval, ComparesTwoEvaluations) {
  ASSERT_EQ(run({"--out", dir_ / "a"}).code, 0);
  ASSERT_EQ(run({"--out", dir_ / "b", "--limit", "2"}).code, 0);
  const Outcome outcome = run_fathom(dir_, {"eval", "compare", dir_ / "a", dir_ / "b"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("acc_norm"), HasSubstr("+0.0000")));
  EXPECT_THAT(outcome.err, HasSubstr("own: 1 items are in one of the evaluations only"));
  EXPECT_EQ(run_fathom(dir_, {"eval", "compare", dir_ / "a", dir_ / "none"}).code, 2);
  // What the comparison would not heed.
  const Outcome unheeded =
      run_fathom(dir_, {"eval", "--batch-invariant", "compare", dir_ / "a", dir_ / "b"});
  EXPECT_EQ(unheeded.code, 2);
  EXPECT_EQ(unheeded.out, "");
  EXPECT_THAT(unheeded.err, HasSubstr("--batch-invariant is of `eval` itself, and `eval compare`"));
}

TEST_F(Eval, FindsItemsInTrainingText) {
  write_file(dir_ / "text.txt", "nothing here\nqueries: Q: two, a yy\nand more\n");
  ASSERT_EQ(run({"--out", dir_ / "scores"}).code, 0);
  const auto overlap = [&](Arguments more) {
    Arguments arguments{"eval", "overlap", dir_ / "text.txt", "--tasks", "own", "--data", dir_ / "data", "--configs", dir_ / "tasks"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_fathom(dir_, arguments);
  };
  const Outcome table = overlap({"--scores", dir_ / "scores", "--out", dir_ / "found"});
  EXPECT_EQ(table.code, 0) << table.err;
  EXPECT_THAT(table.out, AllOf(HasSubstr("own                            3       1   33.33%"), HasSubstr("acc_norm")));
  EXPECT_EQ(Json::parse(read_file(dir_ / "found/overlap_own.jsonl"))["doc_id"], 1);
  EXPECT_THAT(overlap({"--trace", "1"}).out, AllOf(HasSubstr("own item 1: 1 runs, in 1 documents"), HasSubstr("text.txt:")));
  EXPECT_THAT(overlap({"--trace", "0"}).out, HasSubstr("in 0 documents"));
  EXPECT_THAT(overlap({"--trace", "3"}).err, HasSubstr("own has the items 0 to 2"));
  EXPECT_THAT(overlap({"--length", "2"}).err, HasSubstr("runs of 2 units"));
  // The item has four units.
  EXPECT_THAT(overlap({"--trace", "1", "--shortest", "4"}).out, HasSubstr("own item 1: 1 runs"));
  EXPECT_THAT(overlap({"--trace", "1", "--shortest", "5"}).out, HasSubstr("own item 1: 0 runs"));
}

// Whatever the batch, a model's scores are the same.
TEST_F(Eval, GivesTheSameScoresInAnyBatch) {
  const Outcome one = run({"--batch", "1", "--all-scores"}), many = run({"--batch", "64", "--all-scores"});
  EXPECT_EQ(one.code, 0);
  EXPECT_EQ(one.out, many.out);
}

// To the bit, also where it was stopped and goes on with another batch.
TEST_F(Eval, GivesTheSameBitsInAnyBatchWhereThatIsAsked) {
  const auto answers = [&](const std::string& out) {
    std::istringstream in(read_file(dir_ / (out + "/answers.jsonl")));
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    std::ranges::sort(lines);
    return lines;
  };
  const Arguments one{"--out", dir_ / "one", "--batch", "1", "--batch-invariant"};
  const Arguments many{"--out", dir_ / "many", "--batch", "64", "--batch-invariant"};
  ASSERT_EQ(run(one).code, 0);
  EXPECT_EQ(Json::parse(read_file(dir_ / "one/results.json"))["batch_invariant"], true);
  EXPECT_THAT(read_file(dir_ / "one/report.html"), HasSubstr("the same bits"));
  Arguments first = many;
  first.insert(first.end(), {"--limit", "1"});
  ASSERT_EQ(run(first).code, 0);
  EXPECT_THAT(run(many).err, HasSubstr("answers were known from"));
  EXPECT_EQ(answers("one"), answers("many"));
  // Answers of the other mode are not taken over.
  const Outcome other = run({"--out", dir_ / "one"});
  EXPECT_EQ(other.code, 0);
  EXPECT_THAT(other.err, Not(HasSubstr("were known")));
  EXPECT_EQ(Json::parse(read_file(dir_ / "one/results.json"))["batch_invariant"], false);
}

TEST_F(Eval, RefusesWhatItCannotDo) {
  const auto refused = [&](const Arguments& more, const std::string& tasks = "own") {
    const Outcome outcome = run(more, tasks);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.out, "");
    return outcome.err;
  };
  write_file(dir_ / "tasks/unanswered.toml",
             "mode = \"generate\"\n[data]\nfiles = [\"rows.jsonl\"]\n[prompt]\ncontext = \"{{ q }}\"\n"
             "[generate]\nmetric = \"instructions\"\n");
  EXPECT_THAT(refused({}, "own,onw"), HasSubstr("there is no task 'onw'"));
  EXPECT_THAT(refused({"--batch", "0"}), HasSubstr("--batch is 0"));
  EXPECT_THAT(refused({"--limit", "-1"}), HasSubstr("--limit is -1"));
  EXPECT_THAT(refused({"--system", "x"}), HasSubstr("--template and --system are for --chat"));
  EXPECT_THAT(refused({"--template", "chatml"}), HasSubstr("--template and --system are for --chat"));
  EXPECT_THAT(refused({"--checkpoints", "--all-scores"}), HasSubstr("--all-scores is not for --checkpoints"));
  EXPECT_THAT(refused({"--checkpoints"}), HasSubstr("has no checkpoints"));
  write_file(dir_ / "run/config.toml", "");
  EXPECT_THAT(refused({"--out", dir_ / "run"}), HasSubstr("holds a run, whose report.html would be replaced"));
  EXPECT_THAT(refused({"--cache-gib", "0"}), HasSubstr("--cache-gib is 0"));
  EXPECT_THAT(refused({"--max-length", "65"}), HasSubstr("a length of 65 tokens"));
  EXPECT_THAT(refused({"--shots", "3"}), HasSubstr("there are 2 rows for 3 examples"));
  EXPECT_THAT(refused({"--shots", "1"}, "unanswered"), HasSubstr("prompt.target is missing: the answer that examples show"));
  EXPECT_THAT(refused({"--set", "prompt.gold=\"9\""}), HasSubstr("its right answer is number 9"));
  EXPECT_THAT(refused({"--set", "prompt.context={{ q"}), HasSubstr("prompt.context"));
  // The tasks of the source tree are found from the program, wherever it is run.
  EXPECT_THAT(run_fathom(dir_, {"eval", dir_ / "model", "--tasks", "piqa", "--data", dir_ / "data"}).err, HasSubstr("piqa/dev.jsonl"));
  EXPECT_THAT(run_fathom(dir_, {"eval", "http://localhost:1", "--tasks", "own", "--data", dir_ / "data",
                                "--configs", dir_ / "tasks", "--batch-invariant"})
                  .err,
              HasSubstr("--batch-invariant is the server's own"));
  Arguments arguments{"eval", dir_ / "model", "--tasks", "own", "--data", dir_ / "none"};
  EXPECT_THAT(run_fathom(dir_, arguments).err, HasSubstr("there is no folder"));
}

}  // namespace
}  // namespace fathom::test

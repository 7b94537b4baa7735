// `fathom dpo` and `fathom dpo sample` as a user runs them.
#include <gmock/gmock.h>

#include <algorithm>

#include "cli/tiny_run.h"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class DpoCommand : public testing::Test {
 protected:
  void SetUp() override {
    make_tiny_data(dir_);
    must(run_fathom(dir_, {"train", make_tiny_config(dir_), "--set", "train.steps=10"}));
    std::string rows;
    for (int i = 0; i < 40; ++i) {
      rows += fmt::format(R"({{"prompt": "{}?", "chosen": "{} ships", "rejected": "no {}"}})"
                          "\n",
                          i, i * i, i);
    }
    write_file(dir_ / "pairs.jsonl", rows);
    write_file(dir_ / "dpo.toml",
               fmt::format("threads = 1\ndtype = \"f32\"\n[model]\nfrom = \"{}\"\n"
                           "template = \"deepseek\"\n[data]\npaths = [\"{}\"]\n"
                           "[train]\nsequence_length = 64\nglobal_batch = 4\nsteps = 150\n"
                           "[schedule]\npeak = 1e-3\n[validation]\nshare = 0.1\n"
                           "sample_tokens = 0\n[checkpoint]\ninterval_seconds = 0\n"
                           "every_steps = 20\n",
                           dir_ / "run", dir_ / "pairs.jsonl"));
  }
  std::vector<std::string> command(const std::string& output) const {
    return {"dpo", dir_ / "dpo.toml", "--set", "output=" + output};
  }

  TempDir dir_;
};

TEST_F(DpoCommand, KilledItEndsWithTheSameModel) {
  const std::string whole = dir_ / "whole", killed = dir_ / "killed";
  must(run_fathom(dir_, command(whole)));
  {
    Process process(dir_, command(killed));
    ASSERT_TRUE(process.until([&] { return fs::exists(killed + "/checkpoints/step-00000020"); }))
        << read_file(dir_ / "stderr");
    process.send(SIGKILL);
    EXPECT_EQ(process.wait().signal, SIGKILL);
  }
  EXPECT_FALSE(fs::exists(killed + "/model"));
  const Outcome end = run_fathom(dir_, command(killed));
  must(end);
  EXPECT_THAT(end.err, HasSubstr("resuming"));
  EXPECT_THAT(end.err, HasSubstr("reference log-probabilities read from"));
  const std::string model = read_file(whole + "/model/model.safetensors");
  EXPECT_GT(model.size(), 100000u);
  EXPECT_TRUE(read_file(killed + "/model/model.safetensors") == model);
}

TEST_F(DpoCommand, MakesPairsOfTheModelsOwnAnswers) {
  write_file(dir_ / "prompts.jsonl", "{\"prompt\": \"3?\"}\n{\"prompt\": \"4?\"}\n");
  const std::vector<std::string> draw{
      "dpo",        "sample",         dir_ / "prompts.jsonl", "--model",   dir_ / "run",
      "--template", "deepseek",       "--max-tokens",         "6",         "--threads",
      "1",          "--answers-file", dir_ / "answers.jsonl", "--answers", "3"};
  must(run_fathom(dir_, draw));
  const std::string answers = read_file(dir_ / "answers.jsonl");
  EXPECT_EQ(std::ranges::count(answers, '\n'), 2);
  EXPECT_THAT(answers, HasSubstr("\"ended\""));
  const std::vector<std::string> rank{
      "dpo", "sample", "--from-answers", dir_ / "answers.jsonl", "--output", dir_ / "made.jsonl"};
  const std::vector<std::string> reward{
      "--reward", "tee '" + (dir_ / "read.jsonl") + "' | awk '{print \"[1, 3, 2]\"}'  # a pipeline"};
  auto drawn = draw;
  drawn.insert(drawn.end(), {"--output", dir_ / "drawn.jsonl", reward[0], reward[1]});
  must(run_fathom(dir_, drawn));
  EXPECT_EQ(read_file(dir_ / "read.jsonl"), answers) << "as they are drawn";
  fs::remove(dir_ / "read.jsonl");
  auto scored = rank;
  scored.insert(scored.end(), reward.begin(), reward.end());
  must(run_fathom(dir_, scored));
  EXPECT_EQ(read_file(dir_ / "read.jsonl"), answers) << "as they were written before";
  EXPECT_EQ(read_file(dir_ / "drawn.jsonl"), read_file(dir_ / "made.jsonl"));
  const std::string pairs = read_file(dir_ / "made.jsonl");
  EXPECT_GE(std::ranges::count(pairs, '\n'), 1);
  EXPECT_THAT(pairs, HasSubstr("\"chosen_score\":3.0,\"rejected_score\":1.0"));
  // The pairs are a run's data.
  auto train = command(dir_ / "own");
  train.insert(train.end(), {"--set", "data.paths=[\"" + (dir_ / "made.jsonl") + "\"]", "--set",
                             "train.steps=2", "--set", "validation.share=0"});
  must(run_fathom(dir_, train));

  const auto refused = [&](std::vector<std::string> arguments, const std::string& message) {
    const Outcome outcome = run_fathom(dir_, std::move(arguments));
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(message));
  };
  scored.back() = "echo 1";
  refused(scored, "--reward:1: not an array of numbers");
  refused({"dpo", "sample", dir_ / "prompts.jsonl"}, "--model is missing");
  refused({"dpo", "sample"}, "give either a file of prompts");
}

// Of the same answers each rule takes another for the best.
TEST_F(DpoCommand, RanksAnswersByTheRule) {
  write_file(dir_ / "answers.jsonl",
             R"({"prompt": [{"role": "user", "content": "q"}], "answers": [)"
             R"({"answer": "first", "tokens": 5, "ended": true, "repeats": false}, )"
             R"({"answer": "short", "tokens": 2, "ended": true, "repeats": false}, )"
             R"({"answer": "long", "tokens": 9, "ended": true, "repeats": false}, )"
             R"({"answer": "cut", "tokens": 5, "ended": false, "repeats": false}]})");
  const auto chosen = [&](std::vector<std::string> rule) {
    std::vector<std::string> arguments{"dpo",
                                       "sample",
                                       "--from-answers",
                                       dir_ / "answers.jsonl",
                                       "--output",
                                       dir_ / "pairs.jsonl"};
    arguments.insert(arguments.end(), rule.begin(), rule.end());
    must(run_fathom(dir_, arguments));
    const std::string pairs = read_file(dir_ / "pairs.jsonl");
    EXPECT_THAT(pairs, HasSubstr(R"("rejected":"cut")"));
    const std::string begin = R"("chosen":")";
    const std::size_t at = pairs.find(begin) + begin.size();
    return pairs.substr(at, pairs.find('"', at) - at);
  };
  EXPECT_EQ(chosen({}), "first");
  EXPECT_EQ(chosen({"--rule", "complete"}), "first");
  EXPECT_EQ(chosen({"--rule", "shorter"}), "short");
  EXPECT_EQ(chosen({"--rule", "longer"}), "long");
  EXPECT_EQ(chosen({"--reward", "echo '[1, 3, 4, 0]'"}), "long");
  // Scores of a program that failed are no scores.
  fs::remove(dir_ / "pairs.jsonl");
  const Outcome failed =
      run_fathom(dir_, {"dpo", "sample", "--from-answers", dir_ / "answers.jsonl", "--output",
                        dir_ / "pairs.jsonl", "--reward", "echo '[1, 3, 4, 0]'; exit 3"});
  EXPECT_EQ(failed.code, 1);
  EXPECT_THAT(failed.err, HasSubstr("--reward: echo '[1, 3, 4, 0]'; exit 3: ended with status "));
  EXPECT_FALSE(fs::exists(dir_ / "pairs.jsonl"));
}

TEST_F(DpoCommand, SaysWhatIsWrong) {
  const auto refused = [&](std::vector<std::string> arguments, const std::string& message) {
    const Outcome outcome = run_fathom(dir_, std::move(arguments));
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(message));
  };
  auto arguments = command(dir_ / "x");
  arguments.insert(arguments.end(), {"--set", "dpo.beta=0"});
  refused(arguments, "dpo.beta is 0");
  refused({"dpo"}, "config");
  refused({"dpo", dir_ / "none.toml"}, "none.toml");
  refused({"dpo", dir_ / "dpo.toml", "--bogus"}, "--bogus");
  EXPECT_FALSE(fs::exists(dir_ / "x"));
}

}  // namespace
}  // namespace fathom::test

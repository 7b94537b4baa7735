// [eval] of train, sft and dpo as a user sets it, and fathom eval on the checkpoints of a run.
#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/tiny_run.h"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Arguments = std::vector<std::string>;
using Json = nlohmann::json;

class TrainEval : public testing::Test {
 protected:
  void SetUp() override {
    make_tiny_data(dir_);
    const std::string data = "[data]\nfiles = [\"rows.jsonl\"]\n[prompt]\ncontext = \"{{ q }}\"\n";
    write_file(dir_ / "bench/rows.jsonl",
               "{\"q\": \"7 ships left the\", \"c\": [\"harbour\", \"grain\"]}\n"
               "{\"q\": \"9 ships left the harbour of 北京 with 3 tons\", \"c\": [\"of grain\", \"left\"]}\n"
               "{\"q\": \"8\", \"c\": [\"of\", \"ships\"]}\n");
    write_file(dir_ / "tasks/choose.toml", data + "choice_list = \"c\"\ngold = \"0\"\n");
    write_file(dir_ / "tasks/read.toml",
               "mode = \"perplexity\"\n[data]\nfiles = [\"rows.jsonl\"]\n[prompt]\ntarget = \"{{ q }}\"\n");
    // Short enough for every sequence: where a question is cut depends on who asks.
    write_file(dir_ / "bench/short.jsonl", "{\"q\": \"7\", \"a\": \"of\"}\n{\"q\": \"8 ships\", \"a\": \"left\"}\n");
    write_file(dir_ / "tasks/last.toml",
               "mode = \"likelihood\"\nmetric = \"perplexity\"\n[data]\nfiles = [\"short.jsonl\"]\n[prompt]\n"
               "context = \"{{ q }}\"\ntarget = \"{{ a }}\"\n");
    write_file(dir_ / "tasks/code.toml",
               "mode = \"generate\"\n" + data + "[generate]\nmetric = \"code\"\nprogram = \"{{ completion }}\"\n");
    table_ = fmt::format("[eval]\ntasks = [\"choose\", \"read\"]\ndata = \"{}\"\nconfigs = \"{}\"\nevery_steps = 4\n",
                         dir_ / "bench", dir_ / "tasks");
    write_file(dir_ / "rows.jsonl", chats());
    write_file(dir_ / "pairs.jsonl", pairs());
  }
  static std::string chats() {
    std::string rows;
    for (int i = 0; i < 40; ++i) {
      rows += fmt::format(R"({{"messages": [{{"role": "user", "content": "{}?"}}, {{"role": "assistant", "content": "{}"}}]}})",
                          i, i * i) + "\n";
    }
    return rows;
  }
  static std::string pairs() {
    std::string rows;
    for (int i = 0; i < 40; ++i) {
      rows += fmt::format(R"({{"prompt": "{}?", "chosen": "{} ships", "rejected": "grain"}})", i, i) + "\n";
    }
    return rows;
  }
  Outcome train(const Arguments& more = {}) {
    Arguments arguments{"train", make_tiny_config(dir_, "keep_tokens = [512, 1024]\n" + table_), "--set", "train.steps=10"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_fathom(dir_, arguments);
  }
  // Step and value of each record that has the figure.
  static std::vector<std::pair<int, double>> curve(const std::string& run, const std::string& name) {
    std::vector<std::pair<int, double>> values;
    std::istringstream in(read_file(run + "/metrics.jsonl"));
    for (std::string line; std::getline(in, line);) {
      const Json json = Json::parse(line);
      if (json.contains(name)) values.emplace_back(json["step"], json[name]);
    }
    return values;
  }
  static std::vector<int> steps(const std::vector<std::pair<int, double>>& curve) {
    std::vector<int> steps;
    for (const auto& [step, value] : curve) steps.push_back(step);
    return steps;
  }
  // The perplexity of the task `last` with a model, as `fathom eval` finds it.
  double perplexity(const std::string& model, const Arguments& more) {
    Arguments arguments{"eval", model, "--tasks", "last", "--data", dir_ / "bench", "--configs", dir_ / "tasks",
                        "--max-length", "64", "--out", dir_ / fmt::format("out{}", outs_++)};
    const std::string out = arguments.back();
    arguments.insert(arguments.end(), more.begin(), more.end());
    must(run_fathom(dir_, arguments));
    return Json::parse(read_file(out + "/results.json"))["results"]["last"]["scores"]["perplexity"];
  }
  void aligned(const std::string& command, const std::string& config, const std::string& run) {
    std::string table = table_;
    table.replace(table.find("\"read\""), 6, "\"last\"");
    write_file(dir_ / (command + ".toml"),
               fmt::format("output = \"{}\"\nthreads = 1\ndtype = \"f32\"\n[model]\nfrom = \"{}\"\ntemplate = \"deepseek\"\n"
                           "[validation]\nshare = 0.1\nsample_tokens = 0\n[checkpoint]\ninterval_seconds = 0\n{}{}chat = true\n",
                           dir_ / command, dir_ / "run", config, table));
    const Outcome outcome = run_fathom(dir_, {command, dir_ / (command + ".toml")});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(steps(curve(dir_ / run, "eval/choose/acc")), testing::ElementsAre(4, 6));
    const double last = curve(dir_ / run, "eval/last/perplexity").back().second;
    const double chat = perplexity(dir_ / (command + "/model"), {"--chat"});
    EXPECT_NEAR(last, chat, 1e-4 * chat);
    EXPECT_GT(std::abs(perplexity(dir_ / (command + "/model"), {}) - chat), 1e-2 * chat);
  }

  TempDir dir_;
  std::string table_;
  int outs_ = 0;
};

TEST_F(TrainEval, ScoresTheRunAndItsCheckpointsAlike) {
  const Outcome outcome = train({"--set", "eval.steps=[0]"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("[eval] asks choose: 3 items, 0 examples each"), HasSubstr("benchmarks  "),
                                 HasSubstr("step 8: read bits_per_byte "), HasSubstr(", of 3 items")));
  const auto bits = curve(dir_ / "run", "eval/read/bits_per_byte");
  EXPECT_THAT(steps(bits), testing::ElementsAre(0, 4, 8, 10));
  EXPECT_LT(bits.back().second, bits.front().second);
  EXPECT_THAT(read_file(dir_ / "run/report.html"), AllOf(HasSubstr("Benchmarks: bits_per_byte"), HasSubstr("choose acc")));

  const Outcome series = run_fathom(dir_, {"eval", dir_ / "run", "--checkpoints", "--tasks", "choose,read", "--data", dir_ / "bench",
                                           "--configs", dir_ / "tasks", "--max-length", "32", "--out", dir_ / "out"});
  ASSERT_EQ(series.code, 0) << series.err;
  EXPECT_THAT(series.out, HasSubstr(fmt::format("{:>10}  {:<24} {:>6}  {:<28} {:>9.4f}", 8, "read", 3, "bits_per_byte", bits[2].second)));
  EXPECT_LT(series.out.find("         4  read"), series.out.find("         8  read"));
  std::istringstream in(read_file(dir_ / "out/series.jsonl"));
  std::string line;
  ASSERT_TRUE(std::getline(in, line));
  const Json first = Json::parse(line);
  EXPECT_EQ(first["step"], 4);
  EXPECT_NEAR(first["eval/read/bits_per_byte"], bits[1].second, 1e-5);
  EXPECT_TRUE(first.contains("eval/choose/acc_stderr"));
  EXPECT_THAT(read_file(dir_ / "out/report.html"), HasSubstr("Benchmarks: bits_per_byte"));
  EXPECT_TRUE(fs::exists(dir_ / "out/step-00000004/results.json"));
}

TEST_F(TrainEval, AsksFineTunedModelsInTheirChatForm) {
  must(run_fathom(dir_, {"train", make_tiny_config(dir_, ""), "--set", "train.steps=10"}));
  const std::string train = "[train]\nsequence_length = 64\nglobal_batch = 4\n";
  aligned("sft", train + fmt::format("[[stage]]\nsteps = 6\n[stage.schedule]\npeak = 1e-3\n[[stage.data]]\npaths = [\"{}\"]\n", dir_ / "rows.jsonl"),
          "sft/stage-1");
  aligned("dpo", train + fmt::format("steps = 6\n[data]\npaths = [\"{}\"]\n", dir_ / "pairs.jsonl"), "dpo");
}

TEST_F(TrainEval, RefusesBeforeTheFirstStepWhatItCannotAsk) {
  const auto refused = [&](const Arguments& more) {
    const Outcome outcome = train(more);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_FALSE(fs::exists(dir_ / "run/config.toml"));
    return outcome.err;
  };
  EXPECT_THAT(refused({"--set", "eval.tasks=[\"chose\"]"}), HasSubstr("there is no task 'chose' in " + (dir_ / "tasks") + "; did you mean choose?"));
  EXPECT_THAT(refused({"--set", "eval.data=/no/such"}), HasSubstr("eval.data: there is no folder '/no/such'"));
  EXPECT_THAT(refused({"--set", "eval.tasks=[\"code\"]"}), HasSubstr("eval.tasks: code runs programs"));
  EXPECT_THAT(refused({"--set", "eval.chat=true"}), HasSubstr("eval.chat"));
  EXPECT_THAT(refused({"--set", "eval.every=5"}), HasSubstr("eval.every"));
  write_file(dir_ / "bench/rows.jsonl", "{\"q\": \"x\"}\n");
  EXPECT_THAT(refused({}), HasSubstr("rows.jsonl:1"));
}

TEST_F(TrainEval, ASeriesLeavesOutADamagedCheckpoint) {
  must(train({"--set", "checkpoint.keep_last=3"}));
  const auto series = [&](const std::string& out) {
    return run_fathom(dir_, {"eval", dir_ / "run", "--checkpoints", "--tasks", "read", "--data", dir_ / "bench", "--configs", dir_ / "tasks",
                             "--max-length", "32", "--out", out});
  };
  for (const auto& file : fs::recursive_directory_iterator(dir_ / "run/checkpoints/step-00000008")) {
    if (!file.is_regular_file() || file.path().filename() == "manifest.json") continue;
    std::string bytes = read_file(file.path());
    for (char& byte : bytes) byte = static_cast<char>(byte ^ 1);
    write_file(file.path(), bytes);
  }
  const Outcome outcome = series(dir_ / "out");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("step-00000008 is left out: "));
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("         4  read"), Not(HasSubstr("         8  read")), HasSubstr("        10  read")));
  EXPECT_THAT(read_file(dir_ / "out/series.jsonl"), AllOf(HasSubstr("\"step\":4"), HasSubstr("\"step\":10")));
  EXPECT_THAT(series(dir_ / "run").err, HasSubstr("--out: " + (dir_ / "run") + " holds a run"));
}

TEST_F(TrainEval, NeedsCheckpointsForASeries) {
  const Arguments series{"eval", dir_ / "bench", "--checkpoints", "--tasks", "read", "--data", dir_ / "bench", "--configs", dir_ / "tasks"};
  const Outcome outcome = run_fathom(dir_, series);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("has no checkpoints: name a run or its folder of checkpoints"));
}

// Of a run that is killed while it trains, each step is scored once in the end.
TEST_F(TrainEval, KilledRunsScoreEachStepOnce) {
  table_ += "steps = [1, 2, 3, 5, 6, 7]\n";
  must(train({"--set", "output=" + (dir_ / "whole")}));
  for (const char* seen : {"\"eval/choose/acc\"", "\"step\": 4", "\"step\": 7"}) {
    Process process(dir_, {"train", make_tiny_config(dir_, table_), "--set", "train.steps=10"});
    process.until([&] { return fs::exists(dir_ / "run/metrics.jsonl") && read_file(dir_ / "run/metrics.jsonl").find(seen) != std::string::npos; });
    process.send(SIGKILL);
    process.wait();
  }
  must(train());
  for (const char* name : {"eval/choose/acc", "eval/read/bits_per_byte", "loss"}) {
    EXPECT_EQ(curve(dir_ / "run", name), curve(dir_ / "whole", name)) << name;
  }
}

}  // namespace
}  // namespace fathom::test

// Benchmarks of whole runs, on several layouts, against the engine with the run's model.
#include "eval/run_benchmarks.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "comm/ranks.h"
#include "eval/engine_model.h"
#include "eval/evaluation.h"
#include "eval/prompts.h"
#include "infer/tiny_model.h"
#include "train/small_run.h"

namespace fathom::eval {
namespace {

namespace fs = std::filesystem;
using namespace test;
using testing::HasSubstr;
using testing::Not;
using Curve = std::vector<std::pair<std::int64_t, double>>;

// The questions are of the letters of the training text. As many as two replicas cannot share
// evenly, and texts of several lengths, one longer than a sequence.
void write_tasks(const TempDir& dir) {
  write_file(dir / "data/rows.jsonl",
             "{\"q\": \"7:\", \"c\": [\"h\", \"X\", \"YZ\"], \"g\": 0}\n"
             "{\"q\": \"10: abc and a text that is longer than\", \"c\": [\"k\", \"lm\"], \"g\": 1}\n"
             "{\"q\": \"1\", \"c\": [\"2:\", \"3:\"], \"g\": 1}\n");
  const std::string data = "[data]\nfiles = [\"rows.jsonl\"]\n[prompt]\ncontext = \"{{ q }}\"\ndelimiter = \"\"\n";
  write_file(dir / "tasks/choose.toml", data + "choice_list = \"c\"\ngold = \"{{ g }}\"\n");
  write_file(dir / "tasks/last.toml", "mode = \"likelihood\"\nmetric = \"perplexity\"\n" + data + "target = \"{{ c[0] }}\"\n");
  write_file(dir / "tasks/greedy.toml", "mode = \"likelihood\"\n" + data + "target = \"i\"\n");
  write_file(dir / "tasks/write.toml",
             "mode = \"generate\"\n" + data + "golds = \"['i']\"\n"
             "[generate]\nmax_tokens = 6\nmetric = \"contains\"\nstop = [\"v\"]\n");
  write_file(dir / "tasks/read.toml", "mode = \"perplexity\"\n[data]\nfiles = [\"rows.jsonl\"]\n[prompt]\ntarget = \"{{ q }}\"\n");
  write_file(dir / "tasks/code.toml",
             "mode = \"generate\"\n" + data + "[generate]\nmetric = \"code\"\nprogram = \"{{ completion }}\"\n");
}

const std::vector<std::string> all_tasks{"choose", "last", "greedy", "write", "read"};

// A model that has learnt to write some letters. Each of its rows is a token: the training's softmax counts the same as the engine's.
TrainConfig evaluated(const TempDir& dir, const std::string& name) {
  if (!fs::exists(dir / "out")) {
    prepare(dir);
    std::vector<std::string> special{"<eos>"};
    for (int i = 0; i < 63; ++i) special.push_back(fmt::format("<{}>", i));
    write_file(dir / "out/tokenizer.json", byte_tokenizer(special));
    write_tasks(dir);
  }
  TrainConfig config = tiny(dir, name);
  config.model.vocab_size = 320;
  config.schedule.warmup_steps = 2;
  config.schedule.kind = ScheduleKind::constant;
  config.schedule.peak = 3e-2;
  config.train.micro_batch = 2;
  config.validation.every_steps = 0;
  config.validation.sample_tokens = 0;
  config.eval.tasks = all_tasks;
  config.eval.data = dir / "data";
  config.eval.configs = dir / "tasks";
  config.eval.every_steps = 6;
  config.eval.batch = 2;
  return config;
}

int run_evaluated(const TrainConfig& config, int ranks = 1) {
  Runtime runtime(Signals::stop_runs, gemm_peak);
  TrainOptions options;
  options.ranks = ranks;
  options.benchmarks = run_benchmarks();
  return train(runtime, config, options);
}

std::string refusal(const TrainConfig& config) {
  return input_error_of([&] { run_evaluated(config); });
}

// Of a task with the run's final model, as `fathom eval` finds it.
Estimate expected(const TempDir& dir, const TrainConfig& config, const std::string& task, std::string& score) {
  Context context(cpu_device);
  const infer::LoadedModel model = infer::load_model(config.output + "/model", {}, context);
  EngineModel engine(model, context, {.max_length = config.train.sequence_length});
  const TaskConfig own = load_task(dir / ("tasks/" + task + ".toml"));
  const TaskResult result = evaluate(own, load_items(own, dir / "data"), engine);
  score = main_score(result);
  return result.total.at(score);
}

std::vector<std::int64_t> steps_of(const Curve& curve) {
  std::vector<std::int64_t> steps;
  for (const auto& [step, value] : curve) steps.push_back(step);
  return steps;
}

struct EvaluatedLayout {
  const char* name;
  int ranks, pp, tp;
  bool sequence_parallel;
};

class RunBenchmarksOn : public testing::TestWithParam<EvaluatedLayout> {};

TEST_P(RunBenchmarksOn, ScoreTheModelInTraining) {
  const TempDir dir;
  const EvaluatedLayout& layout = GetParam();
  TrainConfig config = evaluated(dir, "run");
  config.eval.steps = {0, 5};
  config.parallel.pp = layout.pp;
  config.parallel.tp = layout.tp;
  config.parallel.sequence_parallel = layout.sequence_parallel;
  ASSERT_EQ(run_evaluated(config, layout.ranks), 0);
  bool learnt = false;
  for (const std::string& task : all_tasks) {
    std::string score;
    const Estimate last = expected(dir, config, task, score);
    const Curve curve = metric_of(config, metric::of_benchmark(task, score));
    EXPECT_THAT(steps_of(curve), testing::ElementsAre(0, 5, 6, 12)) << task;
    EXPECT_NEAR(curve.back().second, last.value, 1e-4 * last.value) << task;
    EXPECT_GT(last.value, 0) << task << ": an answer of nothing would do";
    const Curve errors = metric_of(config, metric::of_benchmark(task, score) + "_stderr");
    EXPECT_NEAR(errors.back().second, last.standard_error, 1e-4 * last.standard_error + 1e-9) << task;
    learnt = learnt || curve.front().second != curve.back().second;
  }
  EXPECT_TRUE(learnt);
}

// To the bit; replicas share the optimizer's state.
TEST_P(RunBenchmarksOn, LeaveTheTrainingAsItIs) {
  const TempDir dir;
  const EvaluatedLayout& layout = GetParam();
  TrainConfig with = evaluated(dir, "with");
  with.eval.steps = {0, 5};
  with.parallel.pp = layout.pp;
  with.parallel.tp = layout.tp;
  with.parallel.sequence_parallel = layout.sequence_parallel;
  ASSERT_TRUE(with.parallel.zero);
  TrainConfig without = with;
  without.output = dir / "without";
  without.eval = {};
  ASSERT_EQ(run_evaluated(with, layout.ranks), 0);
  ASSERT_EQ(run_evaluated(without, layout.ranks), 0);
  const Curve losses = metric_of(with, metric::loss);
  EXPECT_EQ(losses.size(), 12u);
  EXPECT_EQ(losses, metric_of(without, metric::loss));
  EXPECT_EQ(tensors_of(checkpoint_of(with, 12)), tensors_of(checkpoint_of(without, 12)));
}

INSTANTIATE_TEST_SUITE_P(Layouts, RunBenchmarksOn,
                         testing::Values(EvaluatedLayout{"one", 1, 1, 1, false},
                                         EvaluatedLayout{"tp", 2, 1, 2, false},
                                         EvaluatedLayout{"pp", 2, 2, 1, false},
                                         EvaluatedLayout{"dp", 2, 1, 1, false},
                                         EvaluatedLayout{"sequence", 4, 1, 2, true}),
                         [](const auto& of) { return std::string(of.param.name); });

// As after a kill: the records go on behind the checkpoint.
TEST(RunBenchmarks, AResumedRunScoresEachStepOnce) {
  const TempDir dir;
  TrainConfig config = evaluated(dir, "run");
  config.eval.every_steps = 5;
  ASSERT_EQ(run_evaluated(config), 0);
  const Curve whole = metric_of(config, "eval/read/bits_per_byte");
  EXPECT_THAT(steps_of(whole), testing::ElementsAre(5, 10, 12));
  fs::remove_all(checkpoint_of(config, 12));
  fs::remove_all(checkpoint_of(config, 10));
  ASSERT_EQ(run_evaluated(config), 0);
  EXPECT_EQ(metric_of(config, "eval/read/bits_per_byte"), whole);
  ASSERT_EQ(run_evaluated(config), 0);  // at its end already
  EXPECT_EQ(metric_of(config, "eval/read/bits_per_byte"), whole);
}

TEST(RunBenchmarks, AreRefusedBeforeTheTrainingBegins) {
  const TempDir dir;
  const TrainConfig good = evaluated(dir, "run");
  const auto refused = [&](auto&& change) {
    TrainConfig config = good;
    change(config.eval);
    const std::string message = refusal(config);
    EXPECT_THAT(message, Not(HasSubstr("\n")));
    return message;
  };
  EXPECT_THAT(refused([](auto& c) { c.tasks = {"chose"}; }), HasSubstr("no task 'chose' in " + (dir / "tasks") + "; did you mean choose?"));
  EXPECT_THAT(refused([](auto& c) { c.tasks = {"choose", "choose"}; }), HasSubstr("two tasks of the name 'choose'"));
  EXPECT_THAT(refused([](auto& c) { c.tasks = {"code"}; }), HasSubstr("eval.tasks: code runs programs"));
  EXPECT_THAT(refused([](auto& c) { c.data.clear(); }), HasSubstr("eval.data is missing"));
  EXPECT_THAT(refused([](auto& c) { c.data += "/none"; }), HasSubstr("eval.data: there is no folder"));
  EXPECT_THAT(refused([](auto& c) { c.configs += "/none"; }), HasSubstr("eval.configs: there is no folder"));
  EXPECT_THAT(refused([](auto& c) { c.chat = true; }), HasSubstr("eval.chat: `fathom train` has no chat template"));
  EXPECT_THAT(refused([](auto& c) { c.shots = 3; }), HasSubstr("there are 2 rows for 3 examples"));
  EXPECT_THAT(refused([](auto& c) { c.steps = {4, -1}; }), HasSubstr("eval.steps holds -1"));
  EXPECT_THAT(refused([](auto& c) { c.batch = 0; }), HasSubstr("eval.batch is 0"));
  EXPECT_THAT(refused([](auto& c) { c.cache_gib = 0; }), HasSubstr("eval.cache_gib is 0"));
  // What would be found only when the first answers are scored.
  write_file(dir / "tasks/wrong.toml", "metric = \"acc_nrm\"\n" + read_file(dir / "tasks/choose.toml"));
  EXPECT_THAT(refused([](auto& c) { c.tasks = {"wrong"}; }), HasSubstr("metric is 'acc_nrm': use one of acc, "));
  fs::remove(dir / "data/rows.jsonl");
  EXPECT_THAT(refused([](auto&) {}), HasSubstr("rows.jsonl"));
  fs::remove(dir / "out/tokenizer.json");
  EXPECT_THAT(refused([](auto&) {}), HasSubstr("tokenizer.json: not there, and [eval] needs it"));
  EXPECT_FALSE(fs::exists(good.output + "/config.toml"));
}

// Whose questions would lose all but a token.
TEST(RunBenchmarks, RefuseAnswersThatLeaveNoRoomForTheQuestion) {
  const TempDir dir;
  TrainConfig config = evaluated(dir, "run");
  config.eval.tasks = {"write"};
  const std::string task = read_file(dir / "tasks/write.toml");
  const auto with_tokens = [&](const char* tokens) {
    std::string text = task;
    write_file(dir / "tasks/write.toml", text.replace(text.find("max_tokens = 6"), 14, std::string("max_tokens = ") + tokens));
  };
  with_tokens("13");
  EXPECT_THAT(refusal(config), HasSubstr("write: its generate.max_tokens = 13 leave less than half of train.sequence_length = 24"));
  with_tokens("12");
  EXPECT_EQ(run_evaluated(config), 0);
}

TEST(RunBenchmarks, SayHowManyQuestionsLoseTheirBeginning) {
  const TempDir dir;
  for (const int ranks : {1, 2}) {
    TrainConfig config = evaluated(dir, fmt::format("run{}", ranks));
    testing::internal::CaptureStderr();
    ASSERT_EQ(run_evaluated(config, ranks), 0);
    const std::string log = testing::internal::GetCapturedStderr();
    for (const char* task : {"choose", "greedy", "write"}) {
      const std::string line = fmt::format("{}: 1 of 3 questions lose their beginning", task);
      EXPECT_EQ(log.find(line), log.rfind(line));
      EXPECT_THAT(log, HasSubstr(line));
    }
    EXPECT_THAT(log, Not(HasSubstr("read: 1 of")));
  }
}

// The tokenizer knows no beginning of a document, which only the last item needs.
TEST(RunBenchmarks, TryEachItemBeforeTheTrainingBegins) {
  const TempDir dir;
  TrainConfig config = evaluated(dir, "run");
  std::vector<std::string> special;
  for (int i = 0; i < 64; ++i) special.push_back(fmt::format("<{}>", i));
  write_file(dir / "out/tokenizer.json", byte_tokenizer(special));
  write_file(dir / "data/rows.jsonl", "{\"q\": \"7\", \"c\": [\"h\"], \"g\": 0}\n{\"q\": \"\", \"c\": [\"h\"], \"g\": 0}\n");
  config.eval.tasks = {"choose"};
  EXPECT_THAT(refusal(config), testing::AllOf(HasSubstr("rows.jsonl:2: "), HasSubstr("no token for the beginning")));
  EXPECT_FALSE(fs::exists(config.output + "/config.toml"));
}

// As on hosts of which one has other data.
TEST(RunBenchmarks, RefuseOtherQuestionsOnAnotherRank) {
  const TempDir dir;
  const TrainConfig config = evaluated(dir, "run");
  const PreparedData data = open_prepared(dir / "out");
  fs::copy(dir / "data", dir / "other");
  const auto made = [&] {
    run_ranks(2, {}, [&](Communicator& world) {
      TrainConfig own = config;
      if (world.rank() == 1) own.eval.data = dir / "other";
      const TrainPlan plan = resolve(own, facts_of(data, own.data), 2);
      const RankGroups ranks(world, plan.parallel, plan.config.model);
      run_benchmarks()(plan, ranks, run_tokenizer(data));
    });
  };
  made();
  std::string rows = read_file(dir / "data/rows.jsonl");
  write_file(dir / "other/rows.jsonl", rows.replace(rows.find("abc"), 3, "abd"));
  EXPECT_THAT(input_error_of(made), testing::AllOf(HasSubstr("[eval]: rank 1 "), HasSubstr(" reads other tasks, data or another tokenizer than rank 0 ")));
}

// Such as a run of a sweep.
TEST(RunBenchmarks, AreRefusedWhereNobodyAsksThem) {
  const TempDir dir;
  EXPECT_THAT(input_error_of([&] { run(evaluated(dir, "run")); }), HasSubstr("eval.tasks: only runs of"));
}

}  // namespace
}  // namespace fathom::eval

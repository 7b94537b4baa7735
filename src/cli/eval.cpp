// fathom eval: benchmarks, described by files, on a model.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include "checkpoint/checkpoint.h"
#include "cli/commands.h"
#include "cli/evaluated_model.h"
#include "core/error.h"
#include "core/log.h"
#include "core/progress.h"
#include "eval/answer_cache.h"
#include "eval/evaluation.h"
#include "eval/other_scores.h"
#include "eval/prompts.h"
#include "eval/python_runner.h"
#include "eval/results_file.h"
#include "eval/results_page.h"
#include "eval/series.h"
#include "eval/task_folder.h"
#include "io/atomic_file.h"
#include "io/file_lock.h"

namespace fathom::cli {
namespace {

namespace fs = std::filesystem;

struct EvalArguments : EvaluatedModelOptions {
  std::vector<std::string> tasks, overrides, beside;
  std::vector<eval::OtherScores> others;  // of `beside`
  std::string data, configs, out, python = "python3", code = "isolated";
  std::int64_t limit = 0, shots = -1;
  bool all_scores = false, checkpoints = false;
};

struct Task {
  eval::TaskConfig config;
  std::vector<eval::Item> items;
};

// All tasks are read before the model is: what is wrong with one is told at once.
std::vector<Task> load_tasks(const EvalArguments& a) {
  std::vector<Task> tasks;
  std::vector<std::string> overrides = a.overrides;
  if (a.shots >= 0) overrides.push_back(fmt::format("shots.count={}", a.shots));
  for (const std::string& name : a.tasks) {
    Task& task = tasks.emplace_back();
    const std::string folder = name.ends_with(".toml") ? "" : eval::task_folder(a.configs);
    task.config = eval::load_task(eval::find_task(name, folder), overrides);
    task.items = eval::load_items(task.config, a.data, a.limit,
                                  {a.chat ? eval::PromptForm::chat : eval::PromptForm::text, a.templates.system.value_or("")});
  }
  return tasks;
}

bool runs_code(const Task& task) {
  return task.config.mode == eval::Mode::generate && task.config.generate.metric == eval::TextMetric::code;
}

void write_samples(const EvalArguments& a, const eval::TaskResult& result) {
  if (a.out.empty()) return;
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char stamp[32];
  std::strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H-%M-%S", &utc);
  const fs::path path = fs::path(a.out) / fmt::format("samples_{}_{}.jsonl", result.task.name, stamp);
  write_file_atomically(path.string(), eval::samples_jsonl(result));
}

void check_options(const EvalArguments& a) {
  if (!a.chat && (!a.templates.choice.empty() || a.templates.system)) {
    fail_input("--template and --system are for --chat");
  }
  if (a.batch < 1) fail_input("--batch is {}: use at least 1", a.batch);
  if (a.limit < 0) fail_input("--limit is {}: use at least 1", a.limit);
  if (!a.beside.empty() && a.out.empty()) fail_input("--beside is for the page that --out DIR holds: name a folder");
  if (a.checkpoints && a.all_scores) fail_input("--all-scores is not for --checkpoints, which show a score of each task");
  if (!(a.cache_gib > 0)) fail_input("--cache-gib is {}: use more than 0", a.cache_gib);
  for (const char* name : {"config.toml", "checkpoints"}) {
    if (a.out.empty() || !fs::exists(fs::path(a.out) / name)) continue;
    fail_input("--out: {} holds a run, whose report.html would be replaced: name another folder", a.out);
  }
  if (!fs::is_directory(a.data)) fail_input("--data: there is no folder '{}'", a.data);
}

// One model; with --out also its files.
std::vector<eval::TaskResult> evaluate_model(const EvalArguments& a, std::vector<Task> tasks,
                                             const eval::PythonRunner* runner) {
  const std::unique_ptr<EvaluatedModel> evaluated = open_evaluated_model(a);
  std::optional<DirectoryLock> lock;
  std::optional<eval::AnswerCache> cache;
  eval::LanguageModel* asked = &evaluated->model();
  if (!a.out.empty()) {
    lock.emplace(a.out);
    asked = &cache.emplace(*asked, (fs::path(a.out) / "answers.jsonl").string(), evaluated->identity());
  }
  const auto start = std::chrono::steady_clock::now();
  std::vector<eval::TaskResult> results;
  for (Task& task : tasks) {
    results.push_back(eval::evaluate(task.config, std::move(task.items), *asked, runner));
    write_samples(a, results.back());
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const eval::LanguageModel::Work work = evaluated->model().work();
  if (cache && cache->reused() > 0) {
    log::info("{} answers were known from {}", cache->reused(), (fs::path(a.out) / "answers.jsonl").string());
  }
  log::info("{} of {} tokens computed, in {}", human_count(static_cast<double>(work.computed)),
            human_count(static_cast<double>(work.named)), human_seconds(seconds));
  if (a.out.empty()) return results;
  const eval::RunFacts facts{a.model, evaluated->dtype(), evaluated->device(), seconds, work,
                             evaluated->batch_invariance() == BatchInvariance::on};
  write_file_atomically((fs::path(a.out) / "results.json").string(), eval::results_json(results, facts));
  std::vector<eval::OtherScores> others = a.others;
  for (eval::OtherScores& published : eval::published_scores(results)) others.push_back(std::move(published));
  write_page((fs::path(a.out) / "report.html").string(), eval::results_page(results, facts, others));
  return results;
}

// a.model: a checkpoint.
eval::SeriesPoint evaluate_checkpoint(const EvalArguments& a, const std::vector<Task>& tasks,
                                      const eval::PythonRunner* runner) {
  eval::SeriesPoint point;
  point.step = Checkpoint(a.model, Checkpoint::Verify::as_read).step();
  for (const eval::TaskResult& result : evaluate_model(a, tasks, runner)) {
    point.scores.push_back(eval::benchmark_score(result));
  }
  return point;
}

// Each checkpoint of a run, oldest first. With --out each has a folder of its own there.
void evaluate_checkpoints(const EvalArguments& a, const std::vector<Task>& tasks, const eval::PythonRunner* runner) {
  std::vector<std::string> checkpoints = checkpoints_at(a.model);
  if (checkpoints.empty()) {
    fail_input("--checkpoints: {} has no checkpoints: name a run or its folder of checkpoints", a.model);
  }
  std::ranges::reverse(checkpoints);
  const auto write = [&](const std::vector<eval::SeriesPoint>& points) {
    if (a.out.empty()) return;
    write_file_atomically((fs::path(a.out) / "series.jsonl").string(), eval::series_jsonl(points));
    write_page((fs::path(a.out) / "report.html").string(), eval::series_page("Checkpoints of " + a.model, points));
  };
  std::cout << eval::series_heading() << std::flush;
  std::vector<eval::SeriesPoint> points;
  for (const std::string& checkpoint : checkpoints) {
    const std::string name = fs::path(checkpoint).filename().string();
    log::info("{}", name);
    EvalArguments one = a;
    one.model = checkpoint;
    if (!a.out.empty()) one.out = (fs::path(a.out) / name).string();
    try {
      points.push_back(evaluate_checkpoint(one, tasks, runner));
    } catch (const Error& error) {
      // The run may go on and remove old ones, and one that is damaged says nothing of the others.
      const bool gone = !fs::is_directory(checkpoint);
      if (!gone && dynamic_cast<const DamagedCheckpoint*>(&error) == nullptr) throw;
      log::warning("{} is left out: {}", name, gone ? "it is no longer there" : error.what());
      continue;
    }
    std::cout << eval::series_lines(points.back()) << std::flush;
    write(points);
  }
  if (points.empty()) fail_input("--checkpoints: {} has none that could be measured", a.model);
}

void evaluate(EvalArguments a) {
  check_options(a);
  a.others = eval::read_other_scores(a.beside);
  std::vector<Task> tasks = load_tasks(a);
  std::optional<eval::PythonRunner> runner;
  if (std::ranges::any_of(tasks, runs_code)) {
    runner.emplace(a.python, a.code == "isolated" ? eval::Isolation::full : eval::Isolation::limits_only);
  }
  const eval::PythonRunner* programs = runner ? &*runner : nullptr;
  if (a.checkpoints) return evaluate_checkpoints(a, tasks, programs);
  std::cout << eval::results_table(evaluate_model(a, std::move(tasks), programs), a.all_scores) << std::flush;
}

}  // namespace

void add_eval(CLI::App& app) {
  auto arguments = std::make_shared<EvalArguments>();
  CLI::App* c = app.add_subcommand("eval", "Measure a model by benchmarks");
  EvalArguments& a = *arguments;
  add_evaluated_model_options(*c, a);
  c->add_option("--tasks", a.tasks,
                "names of tasks, or paths of their .toml files, with commas between")
      ->type_name("NAME|FILE")
      ->delimiter(',');
  c->add_option("--data", a.data, "folder of the tasks' data")->type_name("DIR");
  c->add_option("--configs", a.configs,
                "folder of the tasks' files; else configs/tasks here or beside the program")
      ->type_name("DIR");
  c->add_option("--set", a.overrides, "override a key of every task: --set prompt.delimiter=\"\"")
      ->type_name("KEY=VALUE");
  c->add_option("--shots", a.shots, "examples before each question, in place of the tasks' own number")
      ->check(CLI::NonNegativeNumber);
  c->add_option("--limit", a.limit, "only the first items of each task");
  c->add_option("--out", a.out,
                "folder for results.json, report.html and the answers, not a run's own; an "
                "evaluation that was stopped goes on there")
      ->type_name("DIR");
  c->add_option("--beside", a.beside,
                "evaluations of other models whose scores the page shows too: folders of --out, or result "
                "files of lm-evaluation-harness")
      ->type_name("DIR|FILE")
      ->delimiter(',');
  c->add_option("--code", a.code, "programs that the model writes run isolated, or with limits of time and memory only")
      ->check(CLI::IsMember({"isolated", "limits"}))
      ->capture_default_str();
  c->add_option("--python", a.python, "Python 3 that runs them")
      ->type_name("PROGRAM")
      ->capture_default_str();
  c->add_flag("--checkpoints", a.checkpoints, "measure each checkpoint of a run, oldest first: scores and curves by step");
  c->add_flag("--all-scores", a.all_scores, "print every score of a task, not only its main one");
  c->footer("Tasks and their data: docs/evaluation.md.\n"
            "Example: fathom eval runs/tiny --tasks piqa,hellaswag --data benchmarks/ --out eval/");
  CLI::App *compare = add_eval_compare(*c), *overlap = add_eval_overlap(*c);
  c->callback([arguments, compare, overlap] {
    if (compare->parsed() || overlap->parsed()) return;
    if (arguments->model.empty()) throw CLI::RequiredError("model");
    if (arguments->tasks.empty()) throw CLI::RequiredError("--tasks");
    if (arguments->data.empty()) throw CLI::RequiredError("--data");
    evaluate(*arguments);
  });
}

}  // namespace fathom::cli

#include "eval/task_config.h"

#include <algorithm>
#include <filesystem>

#include "core/config.h"
#include "core/error.h"

namespace fathom::eval {
namespace {

namespace fs = std::filesystem;

void need(bool there, const TaskConfig& task, const char* key, const char* why) {
  if (!there) fail_input("{}: {} is missing: {}", task.source, key, why);
}

void check_generate(const TaskConfig& task) {
  const GenerateConfig& how = task.generate;
  const bool code = how.metric == TextMetric::code;
  const bool compared = !code && how.metric != TextMetric::instructions;
  need(!compared || !task.prompt.target.empty() || !task.prompt.golds.empty(), task, "prompt.target", "the right answer");
  need(task.shots.count == 0 || !task.shots.texts.empty() || !task.prompt.target.empty(), task, "prompt.target",
       "the answer that examples show");
  need(!code || !how.program.empty(), task, "generate.program", "the program that checks an answer");
  const auto at_least_one = [&](const char* key, std::int64_t value) {
    if (value < 1) fail_input("{}: {} is {}: use at least 1", task.source, key, value);
  };
  at_least_one("generate.max_tokens", how.max_tokens);
  at_least_one("generate.samples", how.samples);
  at_least_one("generate.program_mib", how.program_mib);
  if (!(how.program_seconds > 0)) {
    fail_input("{}: generate.program_seconds is {}: use more than 0", task.source, how.program_seconds);
  }
  if (!(how.temperature >= 0)) fail_input("{}: generate.temperature is {}: use 0 or more", task.source, how.temperature);
  if (!(how.top_p > 0 && how.top_p <= 1)) {
    fail_input("{}: generate.top_p is {}: use more than 0, to 1", task.source, how.top_p);
  }
  if (how.samples > 1 && how.temperature == 0) {
    fail_input("{}: generate.samples is {} at temperature 0, which gives the same answer each time: set "
               "generate.temperature", task.source, how.samples);
  }
  for (const std::int64_t k : code ? how.pass_at : std::vector<std::int64_t>{}) {
    if (k < 1 || k > how.samples) {
      fail_input("{}: generate.pass_at has {}: use 1 to generate.samples, {}", task.source, k, how.samples);
    }
  }
}

void check_prompt(const TaskConfig& task) {
  const PromptConfig& prompt = task.prompt;
  const bool several_contexts = !prompt.contexts.empty();
  if (several_contexts && !prompt.context.empty()) {
    fail_input("{}: prompt.context and prompt.contexts exclude each other", task.source);
  }
  if (!prompt.choices.empty() && !prompt.choice_list.empty()) {
    fail_input("{}: prompt.choices and prompt.choice_list exclude each other", task.source);
  }
  if (!prompt.gold.empty() && !prompt.gold_choice.empty()) {
    fail_input("{}: prompt.gold and prompt.gold_choice exclude each other", task.source);
  }
  switch (task.mode) {
    case Mode::choices:
      need(several_contexts || !prompt.choices.empty() || !prompt.choice_list.empty(), task,
           "prompt.choices", "the answers to choose from");
      need(!prompt.gold.empty() || (!several_contexts && !prompt.gold_choice.empty()), task,
           "prompt.gold", "which answer is right");
      need(!several_contexts || !prompt.target.empty(), task, "prompt.target",
           "the answer to all contexts");
      if (several_contexts && prompt.unconditional) {
        fail_input("{}: prompt.unconditional compares answers, and prompt.contexts has only one",
                   task.source);
      }
      break;
    case Mode::likelihood:
      need(!prompt.target.empty(), task, "prompt.target", "the answer whose likelihood is measured");
      break;
    case Mode::generate:
      check_generate(task);
      break;
    case Mode::perplexity:
      need(!prompt.target.empty(), task, "prompt.target", "the document");
      if (task.shots.count > 0) {
        fail_input("{}: shots.count is {}: documents are read without examples", task.source,
                   task.shots.count);
      }
      break;
  }
}

void check_shots(const TaskConfig& task) {
  const ShotsConfig& shots = task.shots;
  if (shots.count < 0) fail_input("{}: shots.count is {}: use 0 or more", task.source, shots.count);
  if (shots.seed < 0) fail_input("{}: shots.seed is {}: use 0 or more", task.source, shots.seed);
  if (!shots.texts.empty() && shots.count > std::ssize(shots.texts)) {
    fail_input("{}: shots.count is {}, and shots.texts has {}", task.source, shots.count,
               shots.texts.size());
  }
  need(shots.draw != ShotDraw::same_value || !shots.same.empty(), task, "shots.same",
       "the field whose value examples share");
}

void check_published(const TaskConfig& task) {
  for (const PublishedScore& score : task.published) {
    need(!score.model.empty(), task, "published.model", "whose score it is");
    need(!score.source.empty(), task, "published.source", "where it is published");
    const bool share = task.mode != Mode::perplexity && !score.score.ends_with("perplexity");
    if (share && !(score.value >= 0 && score.value <= 1)) {
      fail_input("{}: published.value is {}: use a share from 0 to 1, as the task's own scores are", task.source,
                 score.value);
    }
  }
}

}  // namespace

TaskConfig load_task(const std::string& path, const std::vector<std::string>& overrides) {
  const ConfigTable table = ConfigTable::load(path, overrides);
  TaskConfig task;
  read_config(table, task);
  task.source = path;
  if (task.name.empty()) task.name = fs::path(path).stem().string();
  // Names of files and of scores in a run's records are made of it.
  if (task.name.find('/') != std::string::npos) fail_input("{}: name is '{}': use no /", task.source, task.name);
  if (task.generate.filters.empty()) task.generate.filters.emplace_back();
  need(!task.data.files.empty(), task, "data.files", "where the rows are");
  if (!(task.weight > 0)) fail_input("{}: weight is {}: use more than 0", task.source, task.weight);
  check_prompt(task);
  check_shots(task);
  check_published(task);
  if (!overrides.empty()) task.published.clear();  // they are of the task as its file has it
  return task;
}

std::string find_task(const std::string& name, const std::string& configs) {
  if (name.ends_with(".toml")) return name;
  std::vector<std::string> known;
  if (fs::is_directory(configs)) {
    for (const fs::directory_entry& entry : fs::directory_iterator(configs)) {
      if (entry.path().extension() == ".toml") known.push_back(entry.path().stem().string());
    }
  }
  if (std::ranges::find(known, name) != known.end()) return (fs::path(configs) / (name + ".toml")).string();
  const std::string close = nearest(name, known);
  fail_input("there is no task '{}' in {}{}", name, configs,
             close.empty() ? ": give the path of its .toml file, or --configs" : "; did you mean " + close + "?");
}

}  // namespace fathom::eval

// fathom eval overlap: which items of benchmarks stand in training text.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <memory>

#include "cli/commands.h"
#include "cli/own_options.h"
#include "core/error.h"
#include "eval/overlap_search.h"
#include "eval/task_folder.h"
#include "io/atomic_file.h"

namespace fathom::cli {
namespace {

namespace fs = std::filesystem;

struct EvalOverlapArguments {
  std::vector<std::string> tasks, overrides, paths;
  std::string data, configs, samples, out;
  std::int64_t trace = -1;
  eval::OverlapRule rule;
  DocumentOptions documents;
};

void print_trace(const eval::TaskOverlap& overlap, std::int64_t number) {
  if (number >= std::ssize(overlap.items)) {
    fail_input("--trace is {}: {} has the items 0 to {}", number, overlap.task.name, overlap.items.size() - 1);
  }
  const eval::ItemOverlap& item = overlap.items[static_cast<std::size_t>(number)];
  fmt::print("{} item {}: {} runs, in {} documents\n", overlap.task.name, number, item.runs, item.documents.size());
  for (const eval::ItemOverlap::Document& document : item.documents) {
    fmt::print("{:>5} of {}  {}\n       {}\n", document.runs, item.runs, document.where, document.beginning);
  }
}

void overlap(const EvalOverlapArguments& a) {
  if (!fs::is_directory(a.data)) fail_input("--data: there is no folder '{}'", a.data);
  if (a.trace >= 0 && a.tasks.size() > 1) fail_input("--trace needs one task");
  std::vector<eval::TaskConfig> tasks;
  for (const std::string& name : a.tasks) {
    const std::string folder = name.ends_with(".toml") ? "" : eval::task_folder(a.configs);
    tasks.push_back(eval::load_task(eval::find_task(name, folder), a.overrides));
  }
  const std::vector<eval::TaskOverlap> overlaps = eval::find_overlap(tasks, a.data, a.paths, a.rule, a.documents);
  if (a.trace >= 0) return print_trace(overlaps[0], a.trace);
  std::cout << eval::overlap_table(overlaps, a.samples) << std::flush;
  if (a.out.empty()) return;
  fs::create_directories(a.out);
  for (const eval::TaskOverlap& one : overlaps) {
    write_file_atomically((fs::path(a.out) / fmt::format("overlap_{}.jsonl", one.task.name)).string(), eval::overlap_jsonl(one));
  }
}

}  // namespace

CLI::App* add_eval_overlap(CLI::App& eval) {
  auto arguments = std::make_shared<EvalOverlapArguments>();
  EvalOverlapArguments& a = *arguments;
  CLI::App* c = eval.add_subcommand("overlap", "Find items of benchmarks in training text");
  c->add_option("paths", a.paths, "directories of fathom data prepare, or files of text")
      ->type_name("PATH")
      ->required();
  c->add_option("--tasks", a.tasks,
                "names of tasks, or paths of their .toml files, with commas between")
      ->type_name("NAME|FILE")
      ->delimiter(',')
      ->required();
  c->add_option("--data", a.data, "folder of the tasks' data")->type_name("DIR")->required();
  c->add_option("--configs", a.configs,
                "folder of the tasks' files; else configs/tasks here or beside the program")
      ->type_name("DIR");
  c->add_option("--set", a.overrides, "override a key of every task")->type_name("KEY=VALUE");
  c->add_option("--length", a.rule.length, "words, or Chinese characters, of a run that is looked for")->capture_default_str();
  c->add_option("--shortest", a.rule.shortest, "items of fewer than these are not looked for; below --length whole")
      ->capture_default_str();
  c->add_option("--text-field", a.documents.fields, "fields of the text in JSON lines and Parquet: the first that a row has")
      ->delimiter(',');
  c->add_option("--scores", a.samples,
                "folder of fathom eval --out: the scores of items found and not found")
      ->type_name("DIR");
  c->add_option("--out", a.out,
                "folder for overlap_TASK.jsonl: the items found, and in which documents")
      ->type_name("DIR");
  c->add_option("--trace", a.trace, "number of one item: print the documents that hold it")->check(CLI::NonNegativeNumber);
  c->footer("Example: fathom eval overlap data/prepared --tasks gsm8k,mmlu --data benchmarks/");
  c->callback([arguments, c] {
    refuse_own_options(*c);
    overlap(*arguments);
  });
  return c;
}

}  // namespace fathom::cli

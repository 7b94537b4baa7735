// fathom eval compare: two evaluations of the same items, by a paired test.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "cli/commands.h"
#include "cli/own_options.h"
#include "core/error.h"
#include "core/log.h"
#include "eval/comparison.h"

namespace fathom::cli {
namespace {

struct EvalCompareArguments {
  std::string first, second;
  bool json = false;
};

void compare(const EvalCompareArguments& a) {
  const std::vector<eval::ScoreComparison> comparisons = eval::compare_samples(a.first, a.second);
  std::string told;
  for (const eval::ScoreComparison& one : comparisons) {
    if (one.left_out == 0 || one.task == told) continue;
    log::warning("{}: {} items are in one of the evaluations only, and left out", one.task, one.left_out);
    told = one.task;
  }
  std::cout << (a.json ? comparison_json(comparisons) : comparison_table(comparisons)) << std::flush;
}

}  // namespace

CLI::App* add_eval_compare(CLI::App& eval) {
  auto arguments = std::make_shared<EvalCompareArguments>();
  CLI::App* c = eval.add_subcommand("compare", "Compare two evaluations of the same items by a paired test");
  c->add_option("first", arguments->first,
                "folder that fathom eval --out wrote, or lm-evaluation-harness")
      ->type_name("DIR")
      ->required();
  c->add_option("second", arguments->second, "another")->type_name("DIR")->required();
  c->add_flag("--json", arguments->json, "print JSON");
  c->footer("'difference' is second minus first, 'p' the probability of one at least as large by chance\n"
            "(normal approximation), 'better' how many items each has better.\n"
            "Example: fathom eval compare eval/base eval/chat");
  c->callback([arguments, c] {
    refuse_own_options(*c);
    compare(*arguments);
  });
  return c;
}

}  // namespace fathom::cli

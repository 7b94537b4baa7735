#include "eval/pass_at_k.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace fathom::eval {

double pass_at_k(std::int64_t n, std::int64_t c, std::int64_t k) {
  require(k >= 1 && k <= n && c >= 0 && c <= n, "pass@{} of {} programs, {} of which pass", k, n, c);
  double none = 1;  // passes
  for (std::int64_t i = 0; i < k; ++i) {
    none *= static_cast<double>(std::max<std::int64_t>(n - c - i, 0)) / static_cast<double>(n - i);
  }
  return 1 - none;
}

CodeMetric::CodeMetric(const TaskConfig& task, const PythonRunner& runner)
    : program_(task.generate.program, task.source + ": generate.program"),
      pass_at_(task.generate.pass_at),
      runner_(runner) {
  limits_.seconds = task.generate.program_seconds;
  limits_.memory_bytes = static_cast<std::size_t>(task.generate.program_mib) << 20;
}

ItemScores CodeMetric::score(const Item& item, const std::vector<std::string>& answers) const {
  const Row row{std::make_shared<nlohmann::ordered_json>(*item.fields), item.where, item.subset};
  std::int64_t passed = 0;
  for (const std::string& answer : answers) {
    (*row.fields)["completion"] = answer;
    passed += runner_.check(program_.render(row), limits_).passed;
  }
  ItemScores scores;
  for (const std::int64_t k : pass_at_) {
    scores[fmt::format("pass@{}", k)] = {pass_at_k(std::ssize(answers), passed, k)};
  }
  return scores;
}

}  // namespace fathom::eval

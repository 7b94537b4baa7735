#include "scaling/sweep_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/progress.h"
#include "scaling/number_text.h"
#include "scaling/sweep_trunks.h"

namespace fathom::scaling {
namespace {

struct BudgetRow {
  std::size_t runs = 0, branches = 0;
  std::set<double> model_flops;
  std::int64_t fewest_tokens = 0, most_tokens = 0;
  double without_trunks = 0, with_trunks = 0;
};

// "iso" or "grid", and the budget.
using RowKey = std::pair<std::string, double>;

std::map<RowKey, BudgetRow> rows_of(const SweepPlan& plan) {
  std::map<RowKey, BudgetRow> rows;
  for (const SweepRun& run : plan.runs) {
    BudgetRow& row = rows[{run.name.substr(0, run.name.find('-')), run.budget}];
    row.fewest_tokens = row.runs == 0 ? run.tokens : std::min(row.fewest_tokens, run.tokens);
    row.most_tokens = std::max(row.most_tokens, run.tokens);
    ++row.runs;
    row.branches += !run.trunk.empty();
    row.model_flops.insert(run.model_flops);
    row.without_trunks += plan.whole_flops(run);
    row.with_trunks += plan.own_flops(run);
  }
  return rows;
}

std::string range_text(double low, double high, std::string (*text)(double)) {
  return low == high ? text(low) : text(low) + " to " + text(high);
}

std::string row_text(const RowKey& key, const BudgetRow& row) {
  return fmt::format("{:<5} {:>9}  {:>4}  {:>6}  {:>8}  {:<20}  {:<18}  {:>9}  {:>9}\n", key.first,
                     power_text(key.second), row.runs, row.model_flops.size(), row.branches,
                     range_text(*row.model_flops.begin(), *row.model_flops.rbegin(), power_text),
                     range_text(double(row.fewest_tokens), double(row.most_tokens), human_count),
                     power_text(row.without_trunks), power_text(row.with_trunks));
}

// Data that is read too often teaches less (docs/scaling-laws.md).
std::string epochs_warning(const SweepPlan& plan) {
  constexpr double most_epochs = 4;
  const double limit = most_epochs * static_cast<double>(plan.unique_tokens);
  const auto over = std::ranges::count_if(
      plan.runs, [&](const SweepRun& run) { return static_cast<double>(run.tokens) > limit; });
  if (over == 0) return "";
  return fmt::format("{} runs read the data of {} tokens more than {} times: fits leave them out\n",
                     over, human_count(static_cast<double>(plan.unique_tokens)), most_epochs);
}

std::string time_text(const SweepTime& time) {
  if (!time.known()) return fmt::format("time: not known: {}\n", time.why_unknown);
  return fmt::format("time: {}, {} runs at a time ({})\n", human_seconds(time.seconds), time.jobs,
                     time.source);
}

}  // namespace

SweepFlops sweep_flops(const SweepPlan& plan) {
  SweepFlops flops;
  for (const SweepRun& run : plan.runs) {
    flops.without_trunks += plan.whole_flops(run);
    flops.with_trunks += plan.own_flops(run);
  }
  return flops;
}

std::string to_text(const SweepPlan& plan, const SweepTime& time) {
  std::string text =
      fmt::format("{:<5} {:>9}  {:>4}  {:>6}  {:>8}  {:<20}  {:<18}  {:>9}  {:>9}\n", "grid",
                  "budget", "runs", "models", "branches", "M", "tokens", "FLOPs", "to train");
  for (const auto& [key, row] : rows_of(plan)) text += row_text(key, row);
  const SweepFlops flops = sweep_flops(plan);
  const auto branches =
      std::ranges::count_if(plan.runs, [](const SweepRun& run) { return !run.trunk.empty(); });
  text += fmt::format("\n{} runs, {} FLOPs with the head", plan.runs.size(),
                      power_text(flops.without_trunks));
  text += branches == 0
              ? "; no runs share a trunk\n"
              : fmt::format("; {} branches of trunks, so {} are to train: {:.0f} % less\n",
                            branches, power_text(flops.with_trunks), 100 * flops.saving());
  return text + time_text(time) + epochs_warning(plan);
}

nlohmann::ordered_json to_json(const SweepPlan& plan, const SweepTime& time) {
  const SweepFlops flops = sweep_flops(plan);
  nlohmann::ordered_json json{{"runs", plan.runs.size()},
                              {"flops_without_trunks", flops.without_trunks},
                              {"flops", flops.with_trunks},
                              {"saving", flops.saving()},
                              {"jobs", time.jobs}};
  json["seconds"] = time.known() ? nlohmann::ordered_json(time.seconds) : nullptr;
  for (const auto& [key, row] : rows_of(plan)) {
    json["budgets"].push_back({{"grid", key.first},
                               {"budget", key.second},
                               {"runs", row.runs},
                               {"models", row.model_flops.size()},
                               {"branches", row.branches},
                               {"flops_without_trunks", row.without_trunks},
                               {"flops", row.with_trunks}});
  }
  return json;
}

std::string part_text(const SweepPlan& plan, const std::vector<bool>& own, int jobs) {
  SweepPlan part = plan;
  part.runs.clear();
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (own[i]) part.runs.push_back(plan.runs[i]);
  }
  const SweepFlops flops = sweep_flops(part);
  std::string text = fmt::format("{} runs, {} at a time", part.runs.size(), jobs);
  if (flops.saving() > 0) {
    text += fmt::format("; trunks save {:.0f} % of {} FLOPs", 100 * flops.saving(),
                        power_text(flops.without_trunks));
  }
  return text;
}

std::string result_text(const RunResult& result) {
  if (result.diverged()) return fmt::format("{}: diverged", result.name);
  return fmt::format("{}: loss {:.4f}, {:.4f} bits per byte", result.name, result.loss,
                     result.bits_per_byte);
}

}  // namespace fathom::scaling

#include "scaling/sweep_queue.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <queue>

namespace fathom::scaling {
namespace {

std::vector<std::optional<std::size_t>> trunk_indices(const SweepPlan& plan) {
  std::map<std::string, std::size_t> indices;
  for (std::size_t i = 0; i < plan.runs.size(); ++i) indices[plan.runs[i].name] = i;
  std::vector<std::optional<std::size_t>> trunks;
  for (const SweepRun& run : plan.runs) {
    trunks.push_back(run.trunk.empty() ? std::nullopt : std::optional(indices.at(run.trunk)));
  }
  return trunks;
}

// FLOPs of each run, those of its branches added.
std::vector<double> group_flops(const SweepPlan& plan) {
  const auto trunks = trunk_indices(plan);
  std::vector<double> flops;
  for (const SweepRun& run : plan.runs) flops.push_back(plan.own_flops(run));
  for (std::size_t i = 0; i < trunks.size(); ++i) {
    if (trunks[i]) flops[*trunks[i]] += plan.own_flops(plan.runs[i]);
  }
  return flops;
}

}  // namespace

SweepQueue::SweepQueue(const SweepPlan& plan)
    : plan_(plan),
      states_(plan.runs.size(), RunState::waiting),
      trunks_(trunk_indices(plan)),
      weights_(group_flops(plan)) {}

std::optional<std::size_t> SweepQueue::next(
    const std::function<bool(const SweepRun&)>& has_branch_point) const {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (states_[i] != RunState::waiting) continue;
    if (best && weights_[*best] >= weights_[i]) continue;
    const std::optional<std::size_t> trunk = trunks_[i];
    const bool trunk_ended =
        trunk && states_[*trunk] != RunState::waiting && states_[*trunk] != RunState::running;
    if (trunk && !trunk_ended && !has_branch_point(plan_.runs[i])) continue;
    best = i;
  }
  return best;
}

std::size_t SweepQueue::count(RunState state) const {
  return static_cast<std::size_t>(std::ranges::count(states_, state));
}

bool SweepQueue::finished() const {
  return count(RunState::waiting) + count(RunState::running) == 0;
}

std::vector<bool> runs_of_part(const SweepPlan& plan, int part, int parts) {
  const auto trunks = trunk_indices(plan);
  const std::vector<double> flops = group_flops(plan);
  std::vector<std::size_t> order(flops.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t i) { return flops[i]; });
  std::vector<double> loads(static_cast<std::size_t>(parts));
  std::vector<std::size_t> owners(flops.size());
  for (const std::size_t run : order) {
    if (trunks[run]) continue;
    const auto least = std::ranges::min_element(loads);
    *least += flops[run];
    owners[run] = static_cast<std::size_t>(least - loads.begin());
  }
  std::vector<bool> own(flops.size());
  for (std::size_t i = 0; i < own.size(); ++i) {
    own[i] = owners[trunks[i].value_or(i)] == static_cast<std::size_t>(part - 1);
  }
  return own;
}

double makespan(const SweepPlan& plan, std::size_t jobs, const std::vector<double>& seconds) {
  using Ending = std::pair<double, std::size_t>;  // time, run
  SweepQueue queue(plan);
  std::priority_queue<Ending, std::vector<Ending>, std::greater<>> running;
  double now = 0;
  while (!queue.finished()) {
    std::optional<std::size_t> run;
    if (running.size() < jobs) run = queue.next([](const SweepRun&) { return false; });
    if (run) {
      queue.set(*run, RunState::running);
      running.emplace(now + seconds[*run], *run);
      continue;
    }
    now = running.top().first;
    queue.set(running.top().second, RunState::done);
    running.pop();
  }
  return now;
}

}  // namespace fathom::scaling

#include "eval/groups.h"

#include <algorithm>
#include <cmath>

namespace fathom::eval {

bool is_share(const TaskResult& result) {
  return result.task.mode != Mode::perplexity && main_score(result) != "perplexity";
}

std::vector<GroupScore> group_scores(const std::vector<TaskResult>& results) {
  std::vector<GroupScore> groups;
  std::vector<double> weights;
  for (const TaskResult& result : results) {
    const std::string& name = result.task.group;
    if (name.empty() || !is_share(result)) continue;
    auto group = std::ranges::find(groups, name, &GroupScore::name);
    if (group == groups.end()) {
      group = groups.insert(groups.end(), GroupScore{name, 0, {}});
      weights.push_back(0);
    }
    const Estimate& score = result.total.at(main_score(result));
    const double weight = result.task.weight;
    ++group->tasks;
    group->estimate.value += weight * score.value;
    group->estimate.standard_error += weight * weight * score.standard_error * score.standard_error;
    weights[static_cast<std::size_t>(group - groups.begin())] += weight;
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i].estimate.value /= weights[i];
    groups[i].estimate.standard_error = std::sqrt(groups[i].estimate.standard_error) / weights[i];
  }
  return groups;
}

}  // namespace fathom::eval

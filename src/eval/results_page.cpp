#include "eval/results_page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>

#include "eval/groups.h"

namespace fathom::eval {
namespace {

std::string value_text(const Estimate& estimate) {
  return fmt::format("{:.4f}", estimate.value);
}

std::string interval_text(const Estimate& estimate) {
  if (!std::isfinite(estimate.standard_error)) return "";
  const double half = 1.959964 * estimate.standard_error;
  return fmt::format("{:.4f} to {:.4f}", estimate.value - half, estimate.value + half);
}

std::string task_group(const TaskResult& result) {
  return result.task.group.empty() ? "other" : result.task.group;
}

// What another reaches at a task; empty where that is not known.
std::string other_text(const OtherScores& other, const TaskResult& result, const std::string& score) {
  const auto task = other.tasks.find(result.task.name);
  if (task == other.tasks.end()) return "";
  const auto value = task->second.find(score);
  return value == task->second.end() ? "" : fmt::format("{:.4f}", value->second);
}

// A row of a table, with the cells that it needs for the others.
std::vector<std::string> with_others(std::vector<std::string> row, const std::vector<OtherScores>& others,
                                     const std::function<std::string(const OtherScores&)>& cell) {
  for (const OtherScores& other : others) row.push_back(cell(other));
  return row;
}

// Tasks of a group stand together, below their group's mean.
// Others stand here with the tasks' main scores; a task's own table has all of them.
Section overview(const std::vector<TaskResult>& results, const RunFacts& facts, const std::vector<OtherScores>& all_others) {
  std::vector<OtherScores> others;
  std::ranges::copy_if(all_others, std::back_inserter(others), [&](const OtherScores& other) {
    return std::ranges::any_of(results, [&](const TaskResult& r) { return !other_text(other, r, main_score(r)).empty(); });
  });
  Section section{"Scores", {}};
  section.parts.push_back(Figures{{{"model", facts.model}, {"number type", facts.dtype}, {"device", facts.device},
                                   {"in any batch", facts.batch_invariant ? "the same bits" : "the same up to rounding"},
                                   {"seconds", fmt::format("{:.1f}", facts.seconds)},
                                   {"tokens read", fmt::format("{} of {} named", facts.work.computed, facts.work.named)}}});
  Table table{with_others({"group", "task", "items", "shots", "score", "value", "95 % interval"}, others, &OtherScores::model), {}};
  std::vector<std::string> groups;
  for (const TaskResult& result : results) {
    if (std::ranges::find(groups, task_group(result)) == groups.end()) groups.push_back(task_group(result));
  }
  const std::vector<GroupScore> means = group_scores(results);
  for (const std::string& group : groups) {
    const auto mean = std::ranges::find(means, group, &GroupScore::name);
    if (mean != means.end() && mean->tasks > 1) {
      table.rows.push_back(with_others({group, fmt::format("mean of {} tasks", mean->tasks), "", "", "",
                                        value_text(mean->estimate), interval_text(mean->estimate)},
                                       others, [](const OtherScores&) { return ""; }));
    }
    for (const TaskResult& result : results) {
      if (task_group(result) != group) continue;
      const std::string score = main_score(result);
      table.rows.push_back(with_others({group, result.task.name, std::to_string(result.items.size()),
                                        std::to_string(result.task.shots.count), score,
                                        value_text(result.total.at(score)), interval_text(result.total.at(score))},
                                       others, [&](const OtherScores& other) { return other_text(other, result, score); }));
    }
  }
  section.parts.push_back(std::move(table));
  return section;
}

std::string pair_line(const TextPair& pair, const PairScore& score, bool right) {
  return fmt::format("{} {:>10.4f}  {:>3} tokens{}  {}\n", right ? "*" : " ", score.log_probability, score.tokens,
                     score.greedy ? "  greedy" : "", pair.continuation);
}

// An item as text: the question, then each answer with its log-probability, or the generated ones.
std::string item_text(const TaskResult& result, std::size_t i) {
  const Item& item = result.items[i];
  const Answer& answer = result.answers[i];
  std::string text;
  if (result.task.mode == Mode::generate) {
    text = item.prompt;
    for (const std::string& generated : answer.texts) text += "\n\n--- the model's answer\n" + generated;
    if (!item.golds.empty()) text += fmt::format("\n\n--- right\n{}", fmt::join(item.golds, "\n"));
  } else if (result.task.mode == Mode::perplexity) {
    text = fmt::format("{}\n\n--- log-probability {:.4f}, {} tokens", item.document.substr(0, 2000),
                       answer.document.log_probability, answer.document.tokens);
  } else {
    const bool one_context = std::ranges::all_of(item.pairs, [&](const TextPair& p) { return p.context == item.pairs[0].context; });
    if (one_context) text = item.pairs[0].context + "\n\n--- log-probability of each answer; * is right\n";
    for (std::size_t j = 0; j < item.pairs.size(); ++j) {
      if (!one_context) text += item.pairs[j].context + "\n";
      text += pair_line(item.pairs[j], answer.pairs[j], static_cast<std::int64_t>(j) == item.gold || item.gold < 0);
    }
  }
  text += "\n\n---";
  for (const auto& [name, part] : result.scores[i]) text += fmt::format(" {} {:g}", name, summarise(name, {part}).value);
  return text;
}

// Where the published scores of a task come from, once each.
std::string sources_text(const std::vector<PublishedScore>& published) {
  std::vector<std::string> sources;
  for (const PublishedScore& score : published) {
    if (std::ranges::find(sources, score.source) == sources.end()) sources.push_back(score.source);
  }
  return fmt::format("Published scores: {}.", fmt::join(sources, "; "));
}

Section task_section(const TaskResult& result, const std::vector<OtherScores>& all_others, std::int64_t samples) {
  Section section{result.task.name, {Paragraph{result.task.description}}};
  std::vector<OtherScores> others;
  std::ranges::copy_if(all_others, std::back_inserter(others),
                       [&](const OtherScores& other) { return other.tasks.contains(result.task.name); });
  Table scores{with_others({"score", "value", "95 % interval"}, others, &OtherScores::model), {}};
  for (const auto& [name, estimate] : result.total) {
    scores.rows.push_back(with_others({name, value_text(estimate), interval_text(estimate)}, others,
                                      [&](const OtherScores& other) { return other_text(other, result, name); }));
  }
  section.parts.push_back(std::move(scores));
  if (!result.task.published.empty()) section.parts.push_back(Paragraph{sources_text(result.task.published)});
  if (!result.subsets.empty()) {
    const std::string score = main_score(result);
    Table parts{{"part", "items", score, "95 % interval"}, {}};
    for (const auto& [name, subset] : result.subsets) {
      const Estimate& estimate = subset.scores.at(score);
      parts.rows.push_back({name, std::to_string(subset.items), value_text(estimate), interval_text(estimate)});
    }
    section.parts.push_back(std::move(parts));
  }
  const std::int64_t count = std::ssize(result.items), shown = std::min(samples, count);
  if (shown < count) section.parts.push_back(Paragraph{fmt::format("{} of {} items:", shown, count)});
  for (std::int64_t i = 0; i < shown; ++i) {
    const auto item = static_cast<std::size_t>(i * count / shown);
    section.parts.push_back(Preformatted{fmt::format("item {} ({})", result.items[item].row, result.items[item].where),
                                         item_text(result, item)});
  }
  return section;
}

}  // namespace

Page results_page(const std::vector<TaskResult>& results, const RunFacts& facts,
                  const std::vector<OtherScores>& others, std::int64_t samples) {
  Page page{"Evaluation of " + facts.model, {overview(results, facts, others)}};
  for (const TaskResult& result : results) page.sections.push_back(task_section(result, others, samples));
  return page;
}

}  // namespace fathom::eval

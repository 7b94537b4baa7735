#include "eval/results_file.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "eval/groups.h"
#include "eval/sample_hashes.h"

namespace fathom::eval {
namespace {

using Json = nlohmann::ordered_json;

// JSON has no NaN.
Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json scores_json(const std::map<std::string, Estimate>& scores) {
  Json json = Json::object();
  for (const auto& [name, estimate] : scores) {
    json[name] = number(estimate.value);
    json[name + "_stderr"] = number(estimate.standard_error);
  }
  return json;
}

Json task_json(const TaskResult& result) {
  Json json{{"items", result.items.size()}, {"shots", result.task.shots.count}, {"main_score", main_score(result)}};
  json["scores"] = scores_json(result.total);
  if (result.subsets.empty()) return json;
  for (const auto& [name, value] : result.macro_average) json["macro_average"][name] = number(value);
  for (const auto& [name, subset] : result.subsets) {
    json["subsets"][name] = {{"items", subset.items}, {"scores", scores_json(subset.scores)}};
  }
  return json;
}

// Of a sample as lm-evaluation-harness writes it: what the model was asked.
Json arguments_json(const TaskResult& result, const Item& item) {
  Json json = Json::object();
  const auto add = [&](std::size_t i, Json first, Json second) {
    json[fmt::format("gen_args_{}", i)] = {{"arg_0", std::move(first)}, {"arg_1", std::move(second)}};
  };
  if (result.task.mode == Mode::generate) {
    add(0, item.prompt, Json{{"until", result.task.generate.stop}, {"max_gen_toks", result.task.generate.max_tokens}});
  } else if (result.task.mode == Mode::perplexity) {
    json["gen_args_0"] = {{"arg_0", item.document}};
  } else {
    for (std::size_t i = 0; i < item.pairs.size(); ++i) add(i, item.pairs[i].context, item.pairs[i].continuation);
    for (std::size_t i = 0; i < item.unconditional.size(); ++i) {
      add(item.pairs.size() + i, item.unconditional[i].context, item.unconditional[i].continuation);
    }
  }
  return json;
}

// The first text that the model was asked.
const std::string& first_prompt(const TaskResult& result, const Item& item) {
  if (result.task.mode == Mode::generate) return item.prompt;
  return result.task.mode == Mode::perplexity ? item.document : item.pairs.at(0).context;
}

Json responses_json(const TaskResult& result, const Answer& answer) {
  if (result.task.mode == Mode::generate) return Json::array({Json(answer.texts)});
  if (result.task.mode == Mode::perplexity) {
    return Json::array({Json::array({answer.document.log_probability})});
  }
  Json json = Json::array();
  for (const auto* scores : {&answer.pairs, &answer.unconditional}) {
    for (const PairScore& score : *scores) {
      json.push_back(Json::array({Json::array({score.log_probability, score.greedy})}));
    }
  }
  return json;
}

Json target_json(const TaskResult& result, const Item& item) {
  switch (result.task.mode) {
    case Mode::choices:
      return item.gold;
    case Mode::likelihood:
      return item.answers[0];
    case Mode::generate:
      if (item.golds.empty()) return nullptr;  // such as of programs, which check themselves
      return item.golds.size() == 1 ? Json(item.golds[0]) : Json(item.golds);
    case Mode::perplexity:
      return item.document;
  }
  return nullptr;
}

}  // namespace

std::string results_json(const std::vector<TaskResult>& results, const RunFacts& facts) {
  Json json{{"model", facts.model}, {"dtype", facts.dtype}, {"device", facts.device},
            {"batch_invariant", facts.batch_invariant}, {"seconds", facts.seconds}};
  json["tokens_named"] = facts.work.named;
  json["tokens_computed"] = facts.work.computed;
  json["results"] = Json::object();
  for (const TaskResult& result : results) json["results"][result.task.name] = task_json(result);
  for (const GroupScore& group : group_scores(results)) {
    json["groups"][group.name] = {{"tasks", group.tasks}, {"value", number(group.estimate.value)},
                                  {"stderr", number(group.estimate.standard_error)}};
  }
  return json.dump(2) + "\n";
}

std::string results_table(const std::vector<TaskResult>& results, bool all) {
  std::string out = fmt::format("{:<24} {:>6} {:>5}  {:<28} {:>9} {:>9}\n", "task", "items", "shots", "score",
                                "value", "± s.e.");
  for (const TaskResult& result : results) {
    const std::string main = main_score(result);
    for (const auto& [name, estimate] : result.total) {
      if (!all && name != main) continue;
      out += fmt::format("{:<24} {:>6} {:>5}  {:<28} {:>9.4f} {:>9}\n", result.task.name, result.items.size(),
                         result.task.shots.count, name, estimate.value,
                         std::isfinite(estimate.standard_error) ? fmt::format("{:.4f}", estimate.standard_error) : "");
    }
  }
  for (const GroupScore& group : group_scores(results)) {
    if (group.tasks < 2) continue;
    out += fmt::format("{:<24} {:>6} {:>5}  {:<28} {:>9.4f} {:>9}\n", group.name, "", "", fmt::format("mean of {} tasks", group.tasks),
                       group.estimate.value,
                       std::isfinite(group.estimate.standard_error) ? fmt::format("{:.4f}", group.estimate.standard_error) : "");
  }
  return out;
}

std::string samples_jsonl(const TaskResult& result) {
  std::string out;
  const bool generates = result.task.mode == Mode::generate;
  for (std::size_t i = 0; i < result.items.size(); ++i) {
    const Item& item = result.items[i];
    const Answer& answer = result.answers[i];
    Json sample{{"doc_id", item.row}, {"doc", *item.fields}, {"target", target_json(result, item)}};
    if (!item.subset.empty()) sample["subset"] = item.subset;
    const Json hashes{{"doc_hash", doc_hash(sample["doc"])},
                      {"prompt_hash", sha256_hex(first_prompt(result, item))},
                      {"target_hash", target_hash(sample["target"])}};
    sample["arguments"] = arguments_json(result, item);
    sample["resps"] = responses_json(result, answer);
    std::map<std::string, std::vector<std::string>> filters{{"none", {}}};
    if (generates) filters = TextScores::filtered(result.task, answer.texts);
    // A line for each filter.
    for (const auto& [filter, filtered] : filters) {
      Json line = sample;
      line["filtered_resps"] = generates ? Json(filtered) : sample["resps"];
      line["filter"] = filter;
      line["metrics"] = Json::array();
      for (const auto& [name, part] : result.scores[i]) {
        const std::size_t comma = name.find(',');
        if (comma != std::string::npos && name.substr(comma + 1) != filter) continue;
        const std::string score = name.substr(0, comma);
        line["metrics"].push_back(score);
        line[score] = has_weights(score) ? Json::array({part.value, part.weight}) : Json(part.value);
      }
      line.update(hashes);
      out += line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    }
  }
  return out;
}

}  // namespace fathom::eval

#include "eval/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "eval/samples.h"
#include "eval/scores.h"

namespace fathom::eval {
namespace {

using Json = nlohmann::ordered_json;

struct Parts {
  std::vector<Part> first, second;
};

// A log-probability's weight is of the item, and the same for both: the higher one is better.
bool is_better(const Part& one, const Part& other) { return one.value * other.weight > other.value * one.weight; }

void compare_task(const std::string& task, const Samples& first, const Samples& second,
                  std::vector<ScoreComparison>& out) {
  std::map<std::string, Parts> scores;
  std::map<std::string, std::int64_t> left_out;  // by filter
  for (const auto& [key, sample] : second) left_out[key.second] += !first.contains(key);
  for (const auto& [key, sample] : first) {
    const auto other = second.find(key);
    if (other == second.end()) {
      ++left_out[key.second];
      continue;
    }
    if (sample.prompt != other->second.prompt) {
      fail_input("{} and {}: the prompts differ: the evaluations asked different things", sample.where, other->second.where);
    }
    for (const auto& [name, part] : sample.scores) {
      const auto same = other->second.scores.find(name);
      if (same == other->second.scores.end()) continue;
      Parts& parts = scores[key.second == "none" ? name : name + "," + key.second];
      parts.first.push_back(part);
      parts.second.push_back(same->second);
    }
  }
  for (const auto& [name, parts] : scores) {
    ScoreComparison& one = out.emplace_back();
    one.task = task;
    one.score = name;
    one.items = std::ssize(parts.first);
    const std::size_t comma = name.find(',');
    one.left_out = left_out[comma == std::string::npos ? "none" : name.substr(comma + 1)];
    one.first = summarise(name, parts.first).value;
    one.second = summarise(name, parts.second).value;
    one.paired = paired_difference(linearised(name, parts.first), linearised(name, parts.second));
    for (std::size_t i = 0; i < parts.first.size(); ++i) {
      one.first_better += is_better(parts.first[i], parts.second[i]);
      one.second_better += is_better(parts.second[i], parts.first[i]);
    }
  }
}

}  // namespace

std::vector<ScoreComparison> compare_samples(const std::string& first, const std::string& second) {
  const auto a = samples_files(first), b = samples_files(second);
  std::vector<ScoreComparison> comparisons;
  for (const auto& [task, path] : a) {
    const auto other = b.find(task);
    if (other != b.end()) compare_task(task, read_samples(path), read_samples(other->second), comparisons);
  }
  if (comparisons.empty()) fail_input("{} and {} have no score of the same task", first, second);
  return comparisons;
}

std::string comparison_table(const std::vector<ScoreComparison>& comparisons) {
  std::string out = fmt::format("{:<20} {:<24} {:>6} {:>9} {:>9} {:>10} {:>8} {:>8} {:>13}\n", "task", "score", "items",
                                "first", "second", "difference", "± s.e.", "p", "better");
  for (const ScoreComparison& one : comparisons) {
    const Estimate& d = one.paired.difference;
    out += fmt::format("{:<20} {:<24} {:>6} {:>9.4f} {:>9.4f} {:>+10.4f} {:>8} {:>8.2g} {:>6}:{:<6}\n", one.task, one.score,
                       one.items, one.first, one.second, d.value,
                       std::isfinite(d.standard_error) ? fmt::format("{:.4f}", d.standard_error) : "", one.paired.p_value,
                       one.first_better, one.second_better);
  }
  return out;
}

std::string comparison_json(const std::vector<ScoreComparison>& comparisons) {
  Json all = Json::array();
  for (const ScoreComparison& one : comparisons) {
    const double error = one.paired.difference.standard_error;
    all.push_back({{"task", one.task}, {"score", one.score}, {"items", one.items}, {"left_out", one.left_out},
                   {"first", one.first}, {"second", one.second}, {"difference", one.paired.difference.value},
                   {"difference_stderr", std::isfinite(error) ? Json(error) : Json(nullptr)},
                   {"p_value", one.paired.p_value}, {"first_better", one.first_better},
                   {"second_better", one.second_better}});
  }
  return all.dump(2) + "\n";
}

}  // namespace fathom::eval

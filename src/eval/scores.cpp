#include "eval/scores.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "align/jinja/text_functions.h"
#include "core/error.h"
#include "text/utf8.h"

namespace fathom::eval {
namespace {

double characters(const std::string& text) {
  return static_cast<double>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// Runs of what is no blank, as Python's str.split() gives.
double words(const std::string& text) {
  double count = 0;
  bool inside = false;
  for (const char* p = text.data(); p < text.data() + text.size();) {
    const bool blank = jinja::is_space(utf8::next(p));
    count += !blank && !inside;
    inside = !blank;
  }
  return count;
}

template <class Score>
Part right_one(const Item& item, Score score) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < item.pairs.size(); ++i) {
    if (score(i) > score(best)) best = i;
  }
  return {static_cast<std::int64_t>(best) == item.gold ? 1.0 : 0.0};
}

}  // namespace

ItemScores choice_scores(const Item& item, const Answer& answer) {
  const auto log_p = [&](std::size_t i) { return answer.pairs[i].log_probability; };
  ItemScores scores;
  scores["acc"] = right_one(item, log_p);
  scores["acc_token"] = right_one(item, [&](std::size_t i) {
    return log_p(i) / static_cast<double>(std::max<std::int64_t>(answer.pairs[i].tokens, 1));
  });
  scores["acc_norm"] =
      right_one(item, [&](std::size_t i) { return log_p(i) / characters(item.answers[i]); });
  scores["acc_bytes"] = right_one(
      item, [&](std::size_t i) { return log_p(i) / static_cast<double>(item.answers[i].size()); });
  if (!answer.unconditional.empty()) {
    scores["acc_uncond"] = right_one(
        item, [&](std::size_t i) { return log_p(i) - answer.unconditional[i].log_probability; });
  }
  return scores;
}

ItemScores likelihood_scores(const Answer& answer) {
  const PairScore& pair = answer.pairs.at(0);
  return {{"acc", {pair.greedy ? 1.0 : 0.0}}, {"perplexity", {pair.log_probability}}};
}

ItemScores document_scores(const Item& item, const Answer& answer) {
  const double log_p = answer.document.log_probability;
  const auto bytes = static_cast<double>(item.document.size());
  return {{"word_perplexity", {log_p, words(item.document)}},
          {"byte_perplexity", {log_p, bytes}},
          {"bits_per_byte", {log_p, bytes}}};
}

namespace {

std::vector<TextFilter> filters_of(const TaskConfig& task) {
  std::vector<TextFilter> filters;
  for (const FilterConfig& filter : task.generate.filters) filters.emplace_back(filter, task.source);
  return filters;
}

std::vector<std::string> apply(const TextFilter& filter, const std::vector<std::string>& texts) {
  std::vector<std::string> answers;
  for (const std::string& text : texts) answers.push_back(filter.apply(text));
  return answers;
}

}  // namespace

TextScores::TextScores(const TaskConfig& task, const PythonRunner* runner)
    : metric_(make_metric(task, runner)), filters_(filters_of(task)) {}

std::map<std::string, std::vector<std::string>> TextScores::filtered(const TaskConfig& task,
                                                                     const std::vector<std::string>& texts) {
  std::map<std::string, std::vector<std::string>> answers;
  for (const TextFilter& filter : filters_of(task)) answers[filter.name()] = apply(filter, texts);
  return answers;
}

ItemScores TextScores::of(const Item& item, const Answer& answer) const {
  ItemScores scores;
  for (const TextFilter& filter : filters_) {
    const bool plain = filters_.size() == 1 && filter.name() == "none";
    for (const auto& [name, part] : metric_->score(item, apply(filter, answer.texts))) {
      scores[plain ? name : name + "," + filter.name()] = part;
    }
  }
  return scores;
}

bool has_weights(const std::string& score) {
  return score == "bits_per_byte" || score.ends_with("_perplexity") || score.starts_with("inst_level_");
}

namespace {

// A score is a function of the ratio Σ values / Σ weights: its value and its derivative there.
struct AtRatio {
  double value, slope;
};

AtRatio at_ratio(const std::string& score, double ratio) {
  if (score == "bits_per_byte") return {-ratio / std::numbers::ln2, -1 / std::numbers::ln2};
  if (score != "perplexity" && !score.ends_with("_perplexity")) return {ratio, 1};
  const double value = std::exp(-ratio);
  return {value, -value};
}

Estimate ratio_of(const std::vector<Part>& parts) {
  std::vector<double> values, weights;
  for (const Part& part : parts) {
    values.push_back(part.value);
    weights.push_back(part.weight);
  }
  return ratio_of_sums(values, weights);
}

}  // namespace

std::vector<double> linearised(const std::string& score, const std::vector<Part>& parts) {
  const double ratio = ratio_of(parts).value;
  const AtRatio at = at_ratio(score, ratio);
  double weights = 0;
  for (const Part& part : parts) weights += part.weight;
  const bool is_mean = at.slope == 1 && std::ranges::all_of(parts, [](const Part& part) { return part.weight == 1; });
  std::vector<double> values;
  for (const Part& part : parts) {
    const double residual = (part.value - ratio * part.weight) / (weights / static_cast<double>(parts.size()));
    values.push_back(is_mean ? part.value : at.value + at.slope * residual);
  }
  return values;
}

Estimate summarise(const std::string& score, const std::vector<Part>& parts) {
  const Estimate ratio = ratio_of(parts);
  const AtRatio at = at_ratio(score, ratio.value);
  return {at.value, std::abs(at.slope) * ratio.standard_error};
}

}  // namespace fathom::eval

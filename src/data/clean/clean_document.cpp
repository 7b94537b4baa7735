#include <algorithm>

#include "data/clean/clean.h"
#include "data/clean/edits.h"
#include "text/language.h"
#include "text/mojibake.h"

namespace fathom::clean {

namespace {

// Fills in reason and measure.
void apply_filters(Cleaned& result, std::span<const Filter> filters) {
  const TextFacts facts(result.text);
  if (facts.tokens.empty()) {
    result.reason = "empty";
    return;
  }
  const Verdict verdict = judge(facts, result.language, filters);
  result.reason = verdict.filter ? verdict.filter->rule->name : kept_reason;
  result.measure = verdict.measure;
}

void search_benchmarks(Cleaned& result, std::span<const Filter> filters,
                       const Contamination& benchmarks) {
  const std::vector<Passage> passages = benchmarks.find(result.text);
  if (passages.empty()) return;
  if (benchmarks.action() == ContaminationAction::drop) {
    result.reason = "contaminated:" + benchmarks.tasks()[passages.front().task];
    result.measure = static_cast<double>(passages.size());
    return;
  }
  for (const Passage& passage : passages) {
    result.contaminations.push_back(benchmarks.tasks()[passage.task]);
  }
  result.text = without_passages(result.text, passages);
  apply_filters(result, filters);
}

void apply_classifiers(Cleaned& result, std::span<const LoadedClassifier> classifiers) {
  const std::string reason = classify(result.text, result.language, classifiers, result.scores);
  if (reason.empty()) return;
  result.reason = reason;
  result.measure = std::ranges::find(result.scores, reason, &Score::name)->value;
}

}  // namespace

Cleaned judge_document(std::string_view text, const CleanConfig& config,
                       std::span<const Filter> filters, const Contamination* benchmarks,
                       std::span<const LoadedClassifier> classifiers) {
  Cleaned result;
  result.text = text;
  // Before normalising, which takes control characters out.
  if (config.repair_mojibake) result.text = repair_mojibake(text, result.repairs);
  if (config.normalise) result.text = normalised(result.text);
  result.language = detect_language(result.text).code;
  const bool wanted =
      config.languages.empty() || std::ranges::any_of(config.languages, [&](const auto& name) {
        return is_language(result.language, name);
      });
  if (!wanted) {
    result.reason = "language";
    return result;
  }
  if (config.c4_lines) {
    const bool blanks = !is_language(result.language, "zh") && !is_language(result.language, "ja");
    const auto rules = blanks ? LineRules::c4 : LineRules::c4_chinese;
    result.text = filtered_lines(result.text, rules, result.dropped_lines);
  }
  apply_filters(result, filters);
  if (benchmarks && result.reason == kept_reason) search_benchmarks(result, filters, *benchmarks);
  if (result.reason == kept_reason) apply_classifiers(result, classifiers);
  return result;
}

void mask_document(Cleaned& cleaned, const PersonalConfig& personal) {
  if (cleaned.reason != kept_reason) return;
  cleaned.text = masked(cleaned.text, personal, cleaned.masked);
}

Cleaned clean_document(std::string_view text, const CleanConfig& config,
                       std::span<const Filter> filters, const Contamination* benchmarks,
                       std::span<const LoadedClassifier> classifiers) {
  Cleaned result = judge_document(text, config, filters, benchmarks, classifiers);
  mask_document(result, config.personal);
  return result;
}

}  // namespace fathom::clean

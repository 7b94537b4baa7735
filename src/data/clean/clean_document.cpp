#include <algorithm>

#include "data/clean/clean.h"
#include "data/clean/edits.h"
#include "text/language.h"

namespace fathom::clean {

Cleaned clean_document(std::string_view text, const CleanConfig& config,
                       std::span<const Filter> filters) {
  Cleaned result;
  result.text = config.normalise ? normalised(text) : std::string(text);
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
    const auto rules = is_language(result.language, "zh") ? LineRules::c4_chinese : LineRules::c4;
    result.text = filtered_lines(result.text, rules, result.dropped_lines);
  }
  const TextFacts facts(result.text);
  if (facts.tokens.empty()) {
    result.reason = "empty";
    return result;
  }
  const Verdict verdict = judge(facts, result.language, filters);
  result.reason = verdict.filter ? verdict.filter->rule->name : kept_reason;
  result.measure = verdict.measure;
  return result;
}

}  // namespace fathom::clean

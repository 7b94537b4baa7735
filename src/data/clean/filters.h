// Filters: rules with their bounds, in the order in which they are applied.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/enum_names.h"
#include "data/clean/rules.h"

namespace fathom::clean {

// Published lists of rules and bounds. Those for Chinese count characters where the English ones
// count words, whose bounds would drop every Chinese document.
enum class FilterSet {
  none,
  gopher_quality,      // arXiv 2112.11446, A.1.1
  gopher_repetition,   // the same, table A1
  fineweb,             // arXiv 2406.17557, section 3.6
  c4,                  // arXiv 1910.10683, section 2.2: what drops a page
  chinese_quality,     // bounds of FineWeb-2 (arXiv 2506.20920) for cmn_Hani and of MAP-Neo
  chinese_repetition,  // bounds of FineWeb-2 over sequences 1.6 times as long: of characters
};
inline std::span<const std::string_view> enum_names(FilterSet) {
  static constexpr std::string_view names[] = {
      "none", "gopher_quality",  "gopher_repetition", "fineweb",
      "c4",   "chinese_quality", "chinese_repetition"};
  return names;
}

// One [[filters]] table: a set, or one rule with its bounds.
struct FilterConfig {
  FilterSet set = FilterSet::none;
  std::string rule;
  std::optional<double> min, max;
  std::vector<std::string> languages;
};
template <class Visitor>
void visit_fields(FilterConfig& c, Visitor&& field) {
  field("set", c.set, "a published list of rules with its bounds");
  field("rule", c.rule, "or one rule: `fathom data clean --rules` lists them");
  field("min", c.min, "a document is kept when the rule's measure is not below this");
  field("max", c.max, "and not above this");
  field("languages", c.languages, "of the documents that are filtered; empty: all");
}

struct Filter {
  const Rule* rule = nullptr;
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  std::vector<std::string> languages;  // empty: all

  bool applies_to(std::string_view language) const;
};

// Whether documents of `language` ("zh-Hant") are among those that `name` ("zh") means.
bool is_language(std::string_view language, std::string_view name);

// The filters of the tables in their order; without tables the sets of Gopher and FineWeb for all
// languages but Chinese and Japanese, and those for Chinese. Throws an input Error that names an
// unknown rule with the nearest one, and tables that give neither or both.
std::vector<Filter> filters_of(const std::vector<FilterConfig>& tables);

struct Verdict {
  const Filter* filter = nullptr;  // the first that drops the document; null: it is kept
  double measure = 0;              // of its rule
};
Verdict judge(const TextFacts& facts, std::string_view language, std::span<const Filter> filters);

}  // namespace fathom::clean

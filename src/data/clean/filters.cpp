#include "data/clean/filters.h"

#include <algorithm>

#include "core/config.h"
#include "core/error.h"

namespace fathom::clean {
namespace {

constexpr double none = std::numeric_limits<double>::infinity();

struct Bounds {
  std::string_view rule;
  double min, max;
};

constexpr Bounds gopher_quality[] = {
    {"words", 50, 100000},
    {"mean_word_length", 3, 10},
    {"hashes", -none, 0.1},
    {"ellipses", -none, 0.1},
    {"bullet_lines", -none, 0.9},
    {"ellipsis_lines", -none, 0.3},
    {"alphabetic_tokens", 0.8, none},
    {"english_stop_words", 2, none},
};
constexpr Bounds gopher_repetition[] = {
    {"repeated_paragraphs", -none, 0.30}, {"repeated_paragraph_characters", -none, 0.20},
    {"repeated_lines", -none, 0.30},      {"repeated_line_characters", -none, 0.20},
    {"top_2_gram", -none, 0.20},          {"top_3_gram", -none, 0.18},
    {"top_4_gram", -none, 0.16},          {"repeated_5_grams", -none, 0.15},
    {"repeated_6_grams", -none, 0.14},    {"repeated_7_grams", -none, 0.13},
    {"repeated_8_grams", -none, 0.12},    {"repeated_9_grams", -none, 0.11},
    {"repeated_10_grams", -none, 0.10},
};
constexpr Bounds fineweb[] = {
    {"punctuated_lines", 0.12, none},
    {"short_lines", -none, 0.67},
    {"repeated_line_characters", -none, 0.1},
    {"newlines_per_token", -none, 0.3},
};
constexpr Bounds c4[] = {
    {"lorem_ipsum", -none, 0},
    {"curly_brackets", -none, 0},
    {"sentences", 3, none},
};
constexpr Bounds chinese_quality[] = {
    {"characters", 50, 200000},
    {"ideographs", 0.3, none},
    {"digits", -none, 0.3},
    {"hashes", -none, 0.1},
    {"ellipses", -none, 0.1},
    {"bullet_lines", -none, 0.9},
    {"ellipsis_lines", -none, 0.3},
    {"bracketed_titles", -none, 0.1},
    {"character_entropy", 3, none},
    {"chinese_stop_words", 2, none},
    {"punctuated_lines", 0.106, none},
    {"newlines_per_character", -none, 0.11},
};
constexpr Bounds chinese_repetition[] = {
    {"repeated_lines", -none, 0.287},    {"repeated_line_characters", -none, 0.1},
    {"top_3_gram", -none, 0.256},        {"top_5_gram", -none, 0.201},
    {"top_6_gram", -none, 0.171},        {"repeated_8_grams", -none, 0.198},
    {"repeated_10_grams", -none, 0.182}, {"repeated_11_grams", -none, 0.167},
    {"repeated_13_grams", -none, 0.154}, {"repeated_14_grams", -none, 0.140},
    {"repeated_16_grams", -none, 0.127},
};

std::span<const Bounds> bounds_of(FilterSet set) {
  switch (set) {
    case FilterSet::none:
      break;
    case FilterSet::gopher_quality:
      return gopher_quality;
    case FilterSet::gopher_repetition:
      return gopher_repetition;
    case FilterSet::fineweb:
      return fineweb;
    case FilterSet::c4:
      return c4;
    case FilterSet::chinese_quality:
      return chinese_quality;
    case FilterSet::chinese_repetition:
      return chinese_repetition;
  }
  return {};
}

const Rule& rule_of(const std::string& name) {
  if (const Rule* rule = find_rule(name)) return *rule;
  std::vector<std::string> names;
  for (const auto list : {quality_rules(), repetition_rules()}) {
    for (const Rule& rule : list) names.emplace_back(rule.name);
  }
  const std::string guess = nearest(name, names);
  fail_input("filters: there is no rule '{}'{}; `fathom data clean --rules` lists them", name,
             guess.empty() ? "" : ": did you mean '" + guess + "'?");
}

void add_set(std::vector<Filter>& filters, FilterSet set,
             const std::vector<std::string>& languages) {
  for (const Bounds& bounds : bounds_of(set)) {
    filters.push_back({&rule_of(std::string(bounds.rule)), bounds.min, bounds.max, languages});
  }
}

void add_defaults(std::vector<Filter>& filters) {
  const std::vector<std::string> spaced = {"!zh", "!ja"}, chinese = {"zh"};
  for (const FilterSet set :
       {FilterSet::gopher_quality, FilterSet::gopher_repetition, FilterSet::fineweb}) {
    add_set(filters, set, spaced);
  }
  add_set(filters, FilterSet::chinese_quality, chinese);
  add_set(filters, FilterSet::chinese_repetition, chinese);
  // The list of stop words is English.
  for (Filter& filter : filters) {
    if (filter.rule->name == "english_stop_words") filter.languages = {"en"};
  }
}

}  // namespace

bool is_language(std::string_view language, std::string_view name) {
  return language == name || (language.starts_with(name) && language[name.size()] == '-');
}

// Languages that begin with "!" are excepted.
bool Filter::applies_to(std::string_view language) const {
  if (languages.empty()) return true;
  const bool excepted = languages.front().starts_with('!');
  for (const std::string_view name : languages) {
    if (is_language(language, excepted ? name.substr(1) : name)) return !excepted;
  }
  return excepted;
}

std::vector<Filter> filters_of(const std::vector<FilterConfig>& tables) {
  std::vector<Filter> filters;
  if (tables.empty()) add_defaults(filters);
  for (const FilterConfig& table : tables) {
    if ((table.set == FilterSet::none) == table.rule.empty()) {
      fail_input("filters: a table has {} set and rule; give one of them",
                 table.rule.empty() ? "neither" : "both");
    }
    if (table.set != FilterSet::none) {
      if (table.min || table.max) fail_input("filters: min and max belong to a rule, not a set");
      add_set(filters, table.set, table.languages);
      continue;
    }
    if (!table.min && !table.max) {
      fail_input("filters: rule '{}' has neither min nor max", table.rule);
    }
    filters.push_back({&rule_of(table.rule), table.min.value_or(-none), table.max.value_or(none),
                       table.languages});
  }
  return filters;
}

Verdict judge(const TextFacts& facts, std::string_view language, std::span<const Filter> filters) {
  for (const Filter& filter : filters) {
    if (!filter.applies_to(language)) continue;
    const double measure = filter.rule->measure(facts);
    if (!(measure >= filter.min && measure <= filter.max)) return {&filter, measure};
  }
  return {};
}

}  // namespace fathom::clean

#include "eval/text_filters.h"

#include "core/error.h"
#include "eval/text_metrics.h"

namespace fathom::eval {

TextFilter::TextFilter(const FilterConfig& config, const std::string& where) : name_(config.name) {
  for (const FilterStep& step : config.steps) {
    Step& added = steps_.emplace_back();
    added.config = step;
    const bool needs_pattern = step.kind == FilterKind::regex || step.kind == FilterKind::before ||
                               step.kind == FilterKind::remove || step.kind == FilterKind::replace;
    if (needs_pattern == step.pattern.empty()) {
      fail_input("{}: filter {}: the step {} {} a pattern", where, name_, enum_name(step.kind),
                 needs_pattern ? "needs" : "has no use for");
    }
    if (needs_pattern) added.pattern.emplace(step.pattern, where + ": filter " + name_);
  }
}

// As lm-evaluation-harness's filter: the match, or its group, or of several groups the first that is
// not empty.
std::string TextFilter::Step::matched(const std::string& text) const {
  const std::vector<Pattern::Match> matches = pattern->find_all(text);
  const std::int64_t count = std::ssize(matches);
  const std::int64_t number = config.match < 0 ? count + config.match : config.match;
  if (number < 0 || number >= count) return config.otherwise;
  const auto& groups = matches[static_cast<std::size_t>(number)].groups;
  if (groups.size() <= 2) return strip_blanks(groups.back().value_or(""));
  for (std::size_t i = 1; i < groups.size(); ++i) {
    if (groups[i] && !groups[i]->empty()) return strip_blanks(*groups[i]);
  }
  return config.otherwise;
}

std::string TextFilter::Step::apply(const std::string& text) const {
  switch (config.kind) {
    case FilterKind::regex:
      return matched(text);
    case FilterKind::before: {
      const auto match = pattern->find(text);
      return match ? text.substr(0, match->begin) : text;
    }
    case FilterKind::remove:
      return pattern->replace(text, "");
    case FilterKind::replace:
      return pattern->replace(text, config.with);
    case FilterKind::strip:
      return strip_blanks(text);
    case FilterKind::lstrip:
      return std::string(without_first_blanks(text));
    case FilterKind::lower:
      return small_letters(text);
  }
  return text;
}

std::string TextFilter::apply(std::string text) const {
  for (const Step& step : steps_) text = step.apply(text);
  return text;
}

}  // namespace fathom::eval

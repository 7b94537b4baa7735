// From generated text to an answer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "eval/pattern.h"
#include "eval/task_config.h"

namespace fathom::eval {

// The steps of a FilterConfig, in order.
class TextFilter {
 public:
  // `where` begins messages. Throws an input Error for what is no regular expression.
  TextFilter(const FilterConfig& config, const std::string& where);
  std::string apply(std::string text) const;
  const std::string& name() const { return name_; }

 private:
  struct Step {
    FilterStep config;
    std::optional<Pattern> pattern;
    std::string apply(const std::string& text) const;
    std::string matched(const std::string& text) const;
  };
  std::string name_;
  std::vector<Step> steps_;
};

}  // namespace fathom::eval

// Normalizers: the steps that rewrite a text before it is split.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/regex.h"
#include "tokenizer/spec.h"

namespace fathom::tokenizer {

// Replaces every match of a pattern by a fixed text.
class Replacer {
 public:
  Replacer(const PatternSpec& pattern, std::string content, const std::string& where);
  void apply(std::string& text) const;

 private:
  std::optional<Regex> regex_;  // for patterns that are no plain string
  std::string literal_;
  std::string content_;
};

class Normalizer {
 public:
  Normalizer(const std::vector<NormalizerStep>& steps, const std::string& where);
  bool empty() const { return steps_.empty(); }
  // Rewrites valid UTF-8 `text`, which stays valid.
  void apply(std::string& text) const;

 private:
  struct Step {
    NormalizerStep::Kind kind;
    std::string content;
    std::optional<Replacer> replacer;
  };
  std::vector<Step> steps_;
};

}  // namespace fathom::tokenizer

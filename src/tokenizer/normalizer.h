// Normalizers: the steps that rewrite a text before it is split.
#pragma once

#include <cstddef>
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
  // Throws an input Error when the text would grow beyond `limit` bytes.
  void apply(std::string& text, std::size_t limit = static_cast<std::size_t>(-1)) const;

 private:
  std::optional<Regex> regex_;  // empty for a plain string
  std::string literal_;
  std::string content_;
};

class Normalizer {
 public:
  Normalizer(const std::vector<NormalizerStep>& steps, const std::string& where);
  bool empty() const { return steps_.empty(); }
  // Rewrites valid UTF-8 `text`, which stays valid. Throws an input Error when it grows
  // beyond a bound that no sensible normalizer reaches.
  void apply(std::string& text) const;

 private:
  struct Step {
    NormalizerStep spec;
    std::optional<Replacer> replacer;
  };
  static void run(const Step& step, std::string& text, std::size_t limit);

  std::vector<Step> steps_;
};

}  // namespace fathom::tokenizer

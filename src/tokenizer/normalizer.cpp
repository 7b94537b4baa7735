#include "tokenizer/normalizer.h"

#include <utility>

#include "core/error.h"
#include "tokenizer/clean_text.h"
#include "tokenizer/unicode_forms.h"

namespace fathom::tokenizer {
namespace {

using NormalizerKind = NormalizerStep::Kind;

// A Replace can multiply a text, and a Sequence of them can do so many times over. So a
// text may grow to this many times its size, plus a number of bytes.
constexpr std::size_t max_growth = 64, max_growth_bytes = 1 << 20;

void check_growth(std::size_t size, std::size_t limit) {
  if (size <= limit) return;
  fail_input(
      "the tokenizer's normalizer makes a text more than {} times as large; shorten the "
      "content of its Replace or Prepend steps",
      max_growth);
}

}  // namespace

Replacer::Replacer(const PatternSpec& pattern, std::string content, const std::string& where)
    : content_(std::move(content)) {
  if (pattern.kind == PatternSpec::Kind::string && !pattern.text.empty()) {
    literal_ = pattern.text;
  } else {
    regex_.emplace(pattern.text, where);
  }
}

void Replacer::apply(std::string& text, std::size_t limit) const {
  std::string result;
  std::size_t done = 0;
  const auto replace = [&](std::size_t begin, std::size_t end) {
    result.append(text, done, begin - done).append(content_);
    check_growth(result.size(), limit);
    done = end;
  };
  if (regex_) {
    const auto scratch = regex_->make_scratch();
    RegexMatches matches(*regex_, text, *scratch);
    for (TextRange match{}; matches.next(match);) replace(match.begin, match.end);
  } else {
    for (std::size_t at; (at = text.find(literal_, done)) != std::string::npos;) {
      replace(at, at + literal_.size());
    }
    if (done == 0) return;
  }
  result.append(text, done);
  text = std::move(result);
}

Normalizer::Normalizer(const std::vector<NormalizerStep>& steps, const std::string& where) {
  for (const auto& step : steps) {
    Step built{step, std::nullopt};
    if (step.kind == NormalizerKind::replace)
      built.replacer.emplace(step.pattern, step.content, where);
    steps_.push_back(std::move(built));
  }
}

void Normalizer::apply(std::string& text) const {
  const std::size_t limit = max_growth * text.size() + max_growth_bytes;
  for (const auto& step : steps_) {
    run(step, text, limit);
    check_growth(text.size(), limit);
  }
}

void Normalizer::run(const Step& step, std::string& text, std::size_t limit) {
  switch (step.spec.kind) {
    case NormalizerKind::nfc:
      return to_unicode_form(text, UnicodeForm::nfc);
    case NormalizerKind::nfd:
      return to_unicode_form(text, UnicodeForm::nfd);
    case NormalizerKind::nfkc:
      return to_unicode_form(text, UnicodeForm::nfkc);
    case NormalizerKind::nfkd:
      return to_unicode_form(text, UnicodeForm::nfkd);
    case NormalizerKind::prepend:
      if (!text.empty()) text.insert(0, step.spec.content);
      return;
    case NormalizerKind::replace:
      return step.replacer->apply(text, limit);
    case NormalizerKind::lowercase:
      return to_lower_case(text);
    case NormalizerKind::strip:
      return strip_space(text, step.spec.strip_left, step.spec.strip_right);
    case NormalizerKind::strip_accents:
      return strip_accents(text);
    case NormalizerKind::nmt:
      return clean_nmt(text);
    case NormalizerKind::bert:
      return clean_bert(text, step.spec);
  }
}

}  // namespace fathom::tokenizer

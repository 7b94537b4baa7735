#include "tokenizer/normalizer.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>

#include "core/error.h"
#include "tokenizer/utf8.h"

namespace fathom::tokenizer {
namespace {

using Kind = NormalizerStep::Kind;

// Whether no Unicode normal form of this kind changes `text`: true only for
// characters that neither decompose, compose nor reorder. Most text passes.
bool is_inert(std::string_view text, Kind kind) {
  const char32_t limit = kind == Kind::nfc ? 0x300 : kind == Kind::nfkc ? 0xa0 : 0x80;
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    const char32_t c = utf8::next(p);
    if (c >= limit && !(c >= 0x4e00 && c <= 0x9fff)) return false;
  }
  return true;
}

void unicode_form(std::string& text, Kind kind) {
  if (is_inert(text, kind)) return;
  int options = UTF8PROC_STABLE;
  options |= kind == Kind::nfc || kind == Kind::nfkc ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (kind == Kind::nfkc || kind == Kind::nfkd) options |= UTF8PROC_COMPAT;
  utf8proc_uint8_t* result = nullptr;
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                 static_cast<utf8proc_ssize_t>(text.size()), &result,
                                 static_cast<utf8proc_option_t>(options));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(result, &std::free);
  if (size < 0) fail_runtime("cannot normalize a text: {}", utf8proc_errmsg(size));
  text.assign(reinterpret_cast<const char*>(result), static_cast<std::size_t>(size));
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

void Replacer::apply(std::string& text) const {
  std::string result;
  std::size_t done = 0;
  if (regex_) {
    const auto scratch = regex_->make_scratch();
    RegexMatches matches(*regex_, text, *scratch);
    for (TextRange match{}; matches.next(match); done = match.end) {
      result.append(text, done, match.begin - done).append(content_);
    }
  } else {
    for (std::size_t at; (at = text.find(literal_, done)) != std::string::npos;) {
      result.append(text, done, at - done).append(content_);
      done = at + literal_.size();
    }
    if (done == 0) return;
  }
  result.append(text, done);
  text = std::move(result);
}

Normalizer::Normalizer(const std::vector<NormalizerStep>& steps, const std::string& where) {
  for (const auto& step : steps) {
    Step built{step.kind, step.content, std::nullopt};
    if (step.kind == Kind::replace) built.replacer.emplace(step.pattern, step.content, where);
    steps_.push_back(std::move(built));
  }
}

void Normalizer::apply(std::string& text) const {
  for (const auto& step : steps_) {
    if (step.kind == Kind::prepend) {
      if (!text.empty()) text.insert(0, step.content);
    } else if (step.kind == Kind::replace) {
      step.replacer->apply(text);
    } else {
      unicode_form(text, step.kind);
    }
  }
}

}  // namespace fathom::tokenizer

#include "tokenizer/pre_tokenizer.h"

#include <algorithm>

#include "text/utf8.h"
#include "tokenizer/byte_level.h"

namespace fathom::tokenizer {
namespace {

using Kind = PreTokenizerStep::Kind;
using Part = std::pair<TextRange, bool>;  // where, and whether it matched

// Joins parts as `behavior` asks; what is to be removed keeps its `true`.
// A part joins the one before it (or, going backwards, the one after it).
void join_parts(std::vector<Part>& parts, SplitBehavior behavior) {
  const bool backwards = behavior == SplitBehavior::merged_with_next;
  if (backwards) std::reverse(parts.begin(), parts.end());
  bool previous = false;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto [range, matched] = parts[i];
    const bool joins = kept > 0 && (behavior == SplitBehavior::contiguous ? matched == previous
                                                                          : matched && !previous);
    previous = matched;
    if (!joins) {
      parts[kept++] = {range, false};
    } else if (backwards) {
      parts[kept - 1].first.begin = range.begin;
    } else {
      parts[kept - 1].first.end = range.end;
    }
  }
  parts.resize(kept);
  if (backwards) std::reverse(parts.begin(), parts.end());
}

}  // namespace

PreTokenizer::PreTokenizer(const std::vector<PreTokenizerStep>& steps, const std::string& where) {
  for (const auto& spec : steps) {
    Step step{spec, std::nullopt, false};
    if (spec.kind == Kind::split) {
      step.regex = spec.pattern.kind == PatternSpec::Kind::regex
                       ? Regex(spec.pattern.text, where)
                       : Regex::literal(spec.pattern.text, where);
    } else if (spec.kind == Kind::byte_level && spec.use_regex) {
      step.regex = Regex(gpt2_pattern, where);
    }
    step.spell = spec.kind == Kind::byte_level && steps_.size() + 1 < steps.size();
    steps_.push_back(std::move(step));
  }
  ends_byte_level_ = !steps.empty() && steps.back().kind == Kind::byte_level;
}

PreTokenizer::Scratch PreTokenizer::make_scratch() const {
  Scratch scratch;
  scratch.steps.resize(steps_.size());
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].regex) scratch.steps[i].regex = steps_[i].regex->make_scratch();
  }
  return scratch;
}

void PreTokenizer::split(std::string_view text, Scratch& scratch, Sink& sink) const {
  run(0, text, scratch, sink);
}

void PreTokenizer::run(std::size_t index, std::string_view text, Scratch& scratch,
                       Sink& sink) const {
  if (text.empty()) return;
  if (index == steps_.size()) return sink.piece(text);
  const Step& step = steps_[index];
  if (step.spec.kind == Kind::digits) return run_digits(index, text, scratch, sink);
  std::string with_space;
  if (step.spec.kind == Kind::byte_level && step.spec.add_prefix_space && text[0] != ' ') {
    with_space.append(1, ' ').append(text);
    text = with_space;
  }
  const bool plain =
      step.spec.kind == Kind::byte_level || (step.spec.behavior == SplitBehavior::isolated);
  if (!plain) return run_parts(index, text, scratch, sink);
  // The common case: matches, and what lies between them, each go on alone.
  const auto pass_on = [&](std::string_view part) {
    if (part.empty()) return;
    if (!step.spell) return run(index + 1, part, scratch, sink);
    std::string spelled;
    append_byte_level(spelled, part);
    run(index + 1, spelled, scratch, sink);
  };
  if (!step.regex) return pass_on(text);
  RegexMatches matches(*step.regex, text, *scratch.steps[index].regex);
  std::size_t done = 0;
  for (TextRange match{}; matches.next(match); done = match.end) {
    pass_on(text.substr(done, match.begin - done));
    pass_on(text.substr(match.begin, match.end - match.begin));
  }
  pass_on(text.substr(done));
}

void PreTokenizer::run_digits(std::size_t index, std::string_view text, Scratch& scratch,
                              Sink& sink) const {
  const bool individual = steps_[index].spec.individual_digits;
  std::size_t done = 0;
  bool in_number = false;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  for (const char* p = begin; p < end;) {
    const auto start = static_cast<std::size_t>(p - begin);
    const bool number = utf8::is_number(utf8::next(p));
    if (number != in_number || (number && individual)) {
      run(index + 1, text.substr(done, start - done), scratch, sink);
      done = start;
    }
    in_number = number;
  }
  run(index + 1, text.substr(done), scratch, sink);
}

void PreTokenizer::run_parts(std::size_t index, std::string_view text, Scratch& scratch,
                             Sink& sink) const {
  const Step& step = steps_[index];
  auto& parts = scratch.steps[index].parts;
  parts.clear();
  RegexMatches matches(*step.regex, text, *scratch.steps[index].regex);
  std::size_t done = 0;
  const bool hit = !step.spec.invert;
  for (TextRange match{}; matches.next(match); done = match.end) {
    if (match.begin > done) parts.push_back({{done, match.begin}, !hit});
    parts.push_back({match, hit});
  }
  if (done < text.size()) parts.push_back({{done, text.size()}, !hit});
  if (step.spec.behavior != SplitBehavior::removed) join_parts(parts, step.spec.behavior);
  for (const auto& [range, removed] : parts) {
    if (!removed) run(index + 1, text.substr(range.begin, range.end - range.begin), scratch, sink);
  }
}

}  // namespace fathom::tokenizer

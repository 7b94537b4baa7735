#include "tokenizer/pre_tokenizer.h"

#include <algorithm>

#include "core/error.h"
#include "text/utf8.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/unicode_classes.h"

namespace fathom::tokenizer {
namespace {

using PreTokenizerKind = PreTokenizerStep::Kind;
using Part = PreTokenizer::Part;

// Joins parts according to `behavior`; a part to be removed keeps its `true`. A part joins
// the one before it (or, going backwards, the one after it).
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
    if (spec.kind != PreTokenizerKind::bert) {
      add_step(spec, where);
      continue;
    }
    PreTokenizerStep part;
    part.kind = PreTokenizerKind::whitespace_split;
    add_step(part, where);
    part.kind = PreTokenizerKind::punctuation;
    add_step(part, where);
  }
  ends_byte_level_ = !steps_.empty() && steps_.back().spec.kind == PreTokenizerKind::byte_level;
  if (ends_byte_level_) {
    const PreTokenizerStep& last = steps_.back().spec;
    steps_.back().spell = false;
    // The model does the spelling, so a last ByteLevel that does not split has nothing to do.
    if (!last.use_regex && !last.add_prefix_space) steps_.pop_back();
  }
  const auto spelling = std::ranges::count_if(steps_, &Step::spell);
  spells_bytes_ = !ends_byte_level_ && spelling > 0;
  constexpr int max_spelling = 4;
  if (spelling > max_spelling) {
    fail_input("{}: {} ByteLevel steps each spell the text again; at most {} are supported", where,
               spelling, max_spelling);
  }
}

void PreTokenizer::add_step(const PreTokenizerStep& spec, const std::string& where) {
  Step step{spec, std::nullopt, spec.kind == PreTokenizerKind::byte_level, 0};
  if (spec.kind == PreTokenizerKind::split) {
    step.regex = spec.pattern.kind == PatternSpec::Kind::regex
                     ? Regex(spec.pattern.text, where)
                     : Regex::literal(spec.pattern.text, where);
  } else if (spec.kind == PreTokenizerKind::byte_level && spec.use_regex) {
    step.regex = Regex(gpt2_pattern, where);
  } else if (spec.kind == PreTokenizerKind::char_delimiter) {
    const char* p = spec.character.data();
    step.delimiter = utf8::next(p);
  }
  steps_.push_back(std::move(step));
}

PreTokenizer::Scratch PreTokenizer::make_scratch() const {
  Scratch scratch;
  scratch.steps.resize(steps_.size());
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].regex) scratch.steps[i].regex = steps_[i].regex->make_scratch();
  }
  return scratch;
}

void PreTokenizer::split(std::string_view text, bool at_start, Scratch& scratch, Sink& sink) const {
  run(0, text, at_start, {scratch, sink});
}

void PreTokenizer::run(std::size_t index, std::string_view text, bool at_start,
                       const Context& context) const {
  if (text.empty()) return;
  if (index == steps_.size()) return context.sink.piece(text);
  const Step& step = steps_[index];
  switch (step.spec.kind) {
    case PreTokenizerKind::split:
      return run_regex(index, text, at_start, context);
    case PreTokenizerKind::byte_level:
      return run_byte_level(index, text, at_start, context);
    case PreTokenizerKind::digits:
      return run_digits(index, text, at_start, context);
    case PreTokenizerKind::metaspace:
      return run_metaspace(index, text, at_start, context);
    case PreTokenizerKind::whitespace:
      return run_whitespace(index, text, at_start, context);
    case PreTokenizerKind::whitespace_split:
      return run_characters(index, text, at_start, SplitBehavior::removed, utf8::is_space, context);
    case PreTokenizerKind::punctuation:
      return run_characters(index, text, at_start, step.spec.behavior, is_punctuation, context);
    case PreTokenizerKind::char_delimiter:
      return run_characters(
          index, text, at_start, SplitBehavior::removed,
          [&](char32_t c) { return c == step.delimiter; }, context);
    case PreTokenizerKind::bert:  // the constructor replaced it by two steps
      return;
  }
}

void PreTokenizer::run_byte_level(std::size_t index, std::string_view text, bool at_start,
                                  const Context& context) const {
  const Step& step = steps_[index];
  std::string with_space;
  if (step.spec.add_prefix_space && text[0] != ' ') {
    with_space.append(1, ' ').append(text);
    text = with_space;
  }
  const auto pass_on = [&](TextRange range) {
    if (range.begin == range.end) return;
    if (!step.spell) return run_part(index + 1, text, range, at_start, context);
    std::string spelled;
    append_byte_level(spelled, text.substr(range.begin, range.end - range.begin));
    run(index + 1, spelled, at_start && range.begin == 0, context);
  };
  std::size_t done = 0;
  if (step.regex) {
    RegexMatches matches(*step.regex, text, *context.scratch.steps[index].regex);
    for (TextRange match{}; matches.next(match); done = match.end) {
      pass_on({done, match.begin});
      pass_on(match);
    }
  }
  pass_on({done, text.size()});
}

void PreTokenizer::run_regex(std::size_t index, std::string_view text, bool at_start,
                             const Context& context) const {
  const Step& step = steps_[index];
  RegexMatches matches(*step.regex, text, *context.scratch.steps[index].regex);
  std::size_t done = 0;
  if (step.spec.behavior == SplitBehavior::isolated) {
    // The common case: each match, and each text between matches, is a piece.
    for (TextRange match{}; matches.next(match); done = match.end) {
      run_part(index + 1, text, {done, match.begin}, at_start, context);
      run_part(index + 1, text, match, at_start, context);
    }
    return run_part(index + 1, text, {done, text.size()}, at_start, context);
  }
  auto& parts = context.scratch.steps[index].parts;
  parts.clear();
  const bool hit = !step.spec.invert;
  for (TextRange match{}; matches.next(match); done = match.end) {
    if (match.begin > done) parts.push_back({{done, match.begin}, !hit});
    parts.push_back({match, hit});
  }
  if (done < text.size()) parts.push_back({{done, text.size()}, !hit});
  run_parts(index, text, at_start, step.spec.behavior, context);
}

void PreTokenizer::run_digits(std::size_t index, std::string_view text, bool at_start,
                              const Context& context) const {
  const bool individual = steps_[index].spec.individual_digits;
  std::size_t done = 0;
  bool in_number = false;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  for (const char* p = begin; p < end;) {
    const auto start = static_cast<std::size_t>(p - begin);
    const bool number = utf8::is_number(utf8::next(p));
    if (number != in_number || (number && individual)) {
      run_part(index + 1, text, {done, start}, at_start, context);
      done = start;
    }
    in_number = number;
  }
  run_part(index + 1, text, {done, text.size()}, at_start, context);
}

void PreTokenizer::run_metaspace(std::size_t index, std::string_view text, bool at_start,
                                 const Context& context) const {
  const PreTokenizerStep& spec = steps_[index].spec;
  const std::string& mark = spec.character;
  std::string& marked = context.scratch.steps[index].text;
  marked.clear();
  for (const char c : text) c == ' ' ? marked.append(mark) : marked.append(1, c);
  const bool prepend =
      spec.prepend == PrependScheme::always || (spec.prepend == PrependScheme::first && at_start);
  if (prepend && !marked.starts_with(mark)) marked.insert(0, mark);
  text = marked;
  std::size_t done = 0;
  if (spec.split_words) {
    for (std::size_t at = text.find(mark, 1); at != std::string::npos;
         at = text.find(mark, at + 1)) {
      run_part(index + 1, text, {done, at}, at_start, context);
      done = at;
    }
  }
  run_part(index + 1, text, {done, text.size()}, at_start, context);
}

void PreTokenizer::run_whitespace(std::size_t index, std::string_view text, bool at_start,
                                  const Context& context) const {
  auto& parts = context.scratch.steps[index].parts;
  parts.clear();
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  bool in_word = false;
  for (const char* p = begin; p < end;) {
    const auto start = static_cast<std::size_t>(p - begin);
    const char32_t c = utf8::next(p);
    const auto after = static_cast<std::size_t>(p - begin);
    const bool space = utf8::is_space(c), word = !space && utf8::is_word(c);
    const bool goes_on = !parts.empty() && parts.back().second == space && in_word == word;
    if (goes_on) {
      parts.back().first.end = after;
    } else {
      parts.push_back({{start, after}, space});
    }
    in_word = word;
  }
  run_parts(index, text, at_start, SplitBehavior::removed, context);
}

template <class Matches>
void PreTokenizer::run_characters(std::size_t index, std::string_view text, bool at_start,
                                  SplitBehavior behavior, Matches&& matches,
                                  const Context& context) const {
  auto& parts = context.scratch.steps[index].parts;
  parts.clear();
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  std::size_t done = 0;
  for (const char* p = begin; p < end;) {
    const auto start = static_cast<std::size_t>(p - begin);
    if (!matches(utf8::next(p))) continue;
    if (start > done) parts.push_back({{done, start}, false});
    done = static_cast<std::size_t>(p - begin);
    parts.push_back({{start, done}, true});
  }
  if (done < text.size()) parts.push_back({{done, text.size()}, false});
  run_parts(index, text, at_start, behavior, context);
}

void PreTokenizer::run_parts(std::size_t index, std::string_view text, bool at_start,
                             SplitBehavior behavior, const Context& context) const {
  auto& parts = context.scratch.steps[index].parts;
  if (behavior == SplitBehavior::isolated) {
    for (const auto& [range, matched] : parts) run_part(index + 1, text, range, at_start, context);
    return;
  }
  if (behavior != SplitBehavior::removed) join_parts(parts, behavior);
  for (const auto& [range, removed] : parts) {
    if (!removed) run_part(index + 1, text, range, at_start, context);
  }
}

std::vector<PreTokenizerStep> default_pre_tokenizers() {
  std::vector<PreTokenizerStep> steps;
  for (const char* pattern : {R"([\r\n])", "[぀-ヿ㐀-䶿一-鿿가-힣豈-﫿]+",
                              R"(\s?[\p{L}\p{M}]+)", R"(\s?[\p{P}\p{S}]+)"}) {
    PreTokenizerStep step;
    step.pattern = {PatternSpec::Kind::regex, pattern};
    steps.push_back(step);
  }
  PreTokenizerStep digits;
  digits.kind = PreTokenizerStep::Kind::digits;
  digits.individual_digits = true;
  steps.push_back(digits);
  PreTokenizerStep bytes;
  bytes.kind = PreTokenizerStep::Kind::byte_level;
  bytes.use_regex = false;
  steps.push_back(bytes);
  return steps;
}

}  // namespace fathom::tokenizer

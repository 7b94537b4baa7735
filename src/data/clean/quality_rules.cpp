#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>

#include "data/clean/exam_rule.h"
#include "data/clean/rules.h"
#include "text/characters.h"

namespace fathom::clean {
namespace {

std::uint64_t occurrences(std::string_view text, std::string_view of) {
  std::uint64_t count = 0;
  for (std::size_t at = text.find(of); at != std::string_view::npos;
       at = text.find(of, at + of.size())) {
    ++count;
  }
  return count;
}

bool ends_in_ellipsis(std::string_view line) {
  return line.ends_with("...") || line.ends_with("…");
}

// The share of the lines for which `holds(line)`; of lines that are not blank when `filled`.
template <class Holds>
double share_of_lines(const TextFacts& facts, bool filled, Holds holds) {
  std::uint64_t lines = 0, those = 0;
  for (const Line& line : facts.lines) {
    if (filled && trimmed(line.text).empty()) continue;
    ++lines;
    those += holds(line);
  }
  return ratio(those, lines);
}

double words(const TextFacts& f) {
  return static_cast<double>(f.words);
}
double characters(const TextFacts& f) {
  return static_cast<double>(f.characters);
}
double mean_word_length(const TextFacts& f) {
  return ratio(f.word_characters, f.words);
}
double hashes(const TextFacts& f) {
  return ratio(occurrences(f.text, "#"), f.tokens.size());
}
double ellipses(const TextFacts& f) {
  return ratio(occurrences(f.text, "...") + occurrences(f.text, "…"), f.tokens.size());
}
double bullet_lines(const TextFacts& f) {
  return share_of_lines(f, false, [](const Line& line) {
    const std::string_view text = trimmed(line.text);
    return text.starts_with("•") || text.starts_with("-");
  });
}
double ellipsis_lines(const TextFacts& f) {
  return share_of_lines(f, false,
                        [](const Line& line) { return ends_in_ellipsis(trimmed(line.text)); });
}
double alphabetic_tokens(const TextFacts& f) {
  const auto count = std::ranges::count_if(f.tokens, &Token::has_letter);
  return ratio(static_cast<std::uint64_t>(count), f.tokens.size());
}

template <std::size_t N>
double distinct_of(const TextFacts& f, const std::array<std::string_view, N>& list) {
  std::array<bool, N> found{};
  for (const Token& token : f.tokens) {
    const auto at = std::ranges::find(list, token.text);
    if (at != list.end()) found[static_cast<std::size_t>(at - list.begin())] = true;
  }
  return static_cast<double>(std::ranges::count(found, true));
}
double english_stop_words(const TextFacts& f) {
  static constexpr std::array<std::string_view, 8> list = {"the", "be",   "to",   "of",
                                                           "and", "that", "have", "with"};
  return distinct_of(f, list);
}
double chinese_stop_words(const TextFacts& f) {
  static constexpr std::array<std::string_view, 16> list = {"的", "是", "在", "了", "和", "有",
                                                            "不", "这", "我", "他", "个", "中",
                                                            "为", "上", "就", "也"};
  return distinct_of(f, list);
}

double punctuated_lines(const TextFacts& f) {
  static constexpr std::array<std::string_view, 14> ends = {".",  "?", "!", "。", "？", "！", "…",
                                                            "．", "؟", "।", "‼",  "⁇",  "⁈",  "⁉"};
  return share_of_lines(f, true, [](const Line& line) {
    return std::ranges::any_of(ends,
                               [&](std::string_view end) { return line.text.ends_with(end); });
  });
}
double short_lines(const TextFacts& f) {
  return share_of_lines(f, true, [](const Line& line) { return line.characters <= 30; });
}
double newlines_per_token(const TextFacts& f) {
  return ratio(f.newlines, f.tokens.size());
}
double newlines_per_character(const TextFacts& f) {
  return ratio(f.newlines, f.characters);
}
double curly_brackets(const TextFacts& f) {
  return static_cast<double>(occurrences(f.text, "{"));
}
double lorem_ipsum(const TextFacts& f) {
  std::string folded;
  fold_text(f.text, folded);
  return static_cast<double>(occurrences(folded, "lorem ipsum"));
}
double sentences(const TextFacts& f) {
  std::uint64_t count = 0;
  bool inside = false;
  for (const Token& token : f.tokens) {
    static constexpr std::array<std::string_view, 8> ends = {".",  "?",  "!",   "。",
                                                             "？", "！", "...", "…"};
    if (!token.mark) {
      inside = true;
    } else if (inside && std::ranges::find(ends, token.text) != ends.end()) {
      ++count;
      inside = false;
    }
  }
  return static_cast<double>(count);
}

double ideographs(const TextFacts& f) {
  return ratio(f.ideographs, f.characters);
}
double digits(const TextFacts& f) {
  return ratio(f.digits, f.characters);
}
double bracketed_titles(const TextFacts& f) {
  constexpr std::string_view open = "【", close = "】";
  std::uint64_t inside = 0;
  for (std::size_t at = f.text.find(open); at != std::string_view::npos;) {
    const std::size_t end = f.text.find(close, at);
    if (end == std::string_view::npos) break;
    for (const char c : f.text.substr(at, end + close.size() - at)) inside += (c & 0xc0) != 0x80;
    at = f.text.find(open, end);
  }
  return ratio(inside, f.characters);
}
double character_entropy(const TextFacts& f) {
  std::unordered_map<char32_t, std::uint64_t> counts;
  for (const char *p = f.text.data(), *end = p + f.text.size(); p < end;) ++counts[utf8::next(p)];
  double sum = 0;
  for (const auto& [c, count] : counts) {
    const double share = ratio(count, f.characters);
    sum -= share * std::log(share);
  }
  return sum;
}

constexpr std::array all_quality_rules = {
    Rule{"words", "Tokens that are no punctuation.", words},
    Rule{"characters", "Characters of the text, blanks among them.", characters},
    Rule{"mean_word_length", "Characters a token, of tokens that are no punctuation.",
         mean_word_length},
    Rule{"hashes", "'#' a token.", hashes},
    Rule{"ellipses", "'...' and '…' a token.", ellipses},
    Rule{"bullet_lines", "Share of the lines that begin with '•' or '-'.", bullet_lines},
    Rule{"ellipsis_lines", "Share of the lines that end in '...' or '…'.", ellipsis_lines},
    Rule{"alphabetic_tokens", "Share of the tokens with at least one letter.", alphabetic_tokens},
    Rule{"english_stop_words", "How many of: the be to of and that have with.", english_stop_words},
    Rule{"chinese_stop_words", "How many of: 的 是 在 了 和 有 不 这 我 他 个 中 为 上 就 也.",
         chinese_stop_words},
    Rule{"punctuated_lines", "Share of the lines with text that end in . ? ! or the like.",
         punctuated_lines},
    Rule{"short_lines", "Share of the lines with text that have at most 30 characters.",
         short_lines},
    Rule{"newlines_per_token", "Line ends a token.", newlines_per_token},
    Rule{"newlines_per_character", "Line ends a character.", newlines_per_character},
    Rule{"curly_brackets", "How many '{'.", curly_brackets},
    Rule{"lorem_ipsum", "How often 'lorem ipsum', in any case.", lorem_ipsum},
    Rule{"sentences", "Times that a . ? ! or the like follows a word.", sentences},
    Rule{"ideographs", "Share of the characters that are Han or Kana.", ideographs},
    Rule{"digits", "Share of the characters that are digits.", digits},
    Rule{"bracketed_titles", "Share of the characters between 【 and 】.", bracketed_titles},
    Rule{"character_entropy", "Entropy of the characters' frequencies, in nats.",
         character_entropy},
    Rule{"multiple_choice",
         "Share of the characters in questions with three or more short options A, B, C in order.",
         multiple_choice},
};

}  // namespace

std::span<const Rule> quality_rules() {
  return all_quality_rules;
}

}  // namespace fathom::clean

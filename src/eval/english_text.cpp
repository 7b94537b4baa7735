#include "eval/english_text.h"

#include <utf8proc.h>

#include <set>

#include "eval/pattern.h"
#include "eval/text_metrics.h"
#include "text/utf8.h"

namespace fathom::eval {
namespace {

// The end of a text up to a full stop, and what is behind it: does the stop belong to an abbreviation?
bool is_abbreviated(const std::string& before, std::string_view after) {
  static const std::set<std::string> known{
      "mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "gen", "col", "capt", "lt", "sgt", "rev", "hon", "rep", "sen",
      "gov", "vs", "e.g", "i.e", "etc", "cf", "al", "fig", "vol", "inc", "ltd", "co", "corp", "dept", "est",
      "approx", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "u.s", "u.k",
      "p.s", "p.p.s", "a.m", "p.m", "ph.d"};
  static const Pattern last("[\\w.]+$", "sentences");
  const auto match = last.find(before);
  if (!match) return false;
  const std::string word = small_letters(*match->groups[0]);
  if (word == "no") {  // a number, or the answer
    const std::string_view next = without_first_blanks(after);
    return !next.empty() && next[0] >= '0' && next[0] <= '9';
  }
  const bool initial = word.size() == 1 && word[0] >= 'a' && word[0] <= 'z' && word != "i";
  return initial || known.contains(word);
}

template <class Is>
bool all_of_case(std::string_view text, Is is, Is other) {
  bool any = false;
  for (const char* p = text.data(); p < text.data() + text.size();) {
    const auto c = static_cast<utf8proc_int32_t>(utf8::next(p));
    if (other(c) || utf8proc_category(c) == UTF8PROC_CATEGORY_LT) return false;
    any = any || is(c);
  }
  return any;
}

// Whether a small letter follows, behind blanks.
bool goes_on(std::string_view after) {
  const std::string_view next = without_first_blanks(after);
  if (next.empty()) return false;
  const char* p = next.data();
  return utf8proc_category(static_cast<utf8proc_int32_t>(utf8::next(p))) == UTF8PROC_CATEGORY_LL;
}

bool upper(utf8proc_int32_t c) { return utf8proc_isupper(c) != 0; }
bool lower(utf8proc_int32_t c) { return utf8proc_islower(c) != 0; }

}  // namespace

std::vector<std::string> sentences_of(const std::string& text) {
  static const Pattern end("[.?!]+[\"')\\]\\x{201D}\\x{2019}*]*(?=\\s|$)", "sentences");
  std::vector<std::string> sentences;
  std::size_t begin = 0;
  const auto add = [&](std::size_t to) {
    std::string sentence = strip_blanks(std::string_view(text).substr(begin, to - begin));
    if (!sentence.empty()) sentences.push_back(std::move(sentence));
    begin = to;
  };
  for (const Pattern::Match& match : end.find_all(text)) {
    const std::string& marks = *match.groups[0];
    const std::string_view after = std::string_view(text).substr(match.end);
    const bool stops = marks.find_first_of("?!") == std::string::npos;
    if (stops && marks.starts_with("..") && goes_on(after)) continue;
    const bool one_stop = stops && !marks.starts_with("..");
    if (one_stop && !after.empty() && is_abbreviated(text.substr(begin, match.begin - begin), after)) continue;
    add(match.end);
  }
  add(text.size());
  return sentences;
}

std::vector<std::string> treebank_words(const std::string& text) {
  // Inside a word: also points and hyphens, but no ellipsis and no dash.
  static const std::string inside = R"((?:\w|\.(?!\.\.)|-(?!-)))";
  static const std::string mark = R"(\.\.\.|--+|[^\s\w.'-])";                        // alone
  static const std::string negated = inside + R"(*?\w(?=[nN]'[tT]\b)|[nN]'[tT]\b)";  // do, n't
  static const std::string short_form = R"('(?:ll|re|ve|s|m|d|LL|RE|VE|S|M|D)\b)";   // 's
  static const std::string plain = R"(\w)" + inside + "*";
  static const Pattern piece(mark + "|" + negated + "|" + short_form + "|" + plain + "|'|[.-]",
                             "words");
  std::vector<std::string> words;
  for (const std::string& sentence : sentences_of(text)) {
    for (const Pattern::Match& match : piece.find_all(sentence)) {
      std::string word = *match.groups[0];
      // The sentence's own full stop is a word.
      const bool stops =
          word.size() > 1 && word.ends_with('.') && word != "..." && match.end == sentence.size();
      if (stops) word.pop_back();
      words.push_back(std::move(word));
      if (stops) words.emplace_back(".");
    }
  }
  return words;
}

bool all_upper(std::string_view text) { return all_of_case(text, upper, lower); }
bool all_lower(std::string_view text) { return all_of_case(text, lower, upper); }

}  // namespace fathom::eval

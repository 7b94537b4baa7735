#include "eval/instructions.h"

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "eval/english_text.h"
#include "eval/pattern.h"
#include "eval/text_metrics.h"
#include "text/language.h"

namespace fathom::eval {
namespace {

using Json = nlohmann::ordered_json;

// An instruction's arguments.
class Arguments {
 public:
  Arguments(const Json& values, std::string where) : values_(values), where_(std::move(where)) {}

  std::string text(const char* name) const {
    const Json& value = get(name);
    if (!value.is_string()) fail_input("{}: its argument {} is no text", where_, name);
    return value.get<std::string>();
  }
  std::int64_t number(const char* name) const {
    const Json& value = get(name);
    if (!value.is_number()) fail_input("{}: its argument {} is no number", where_, name);
    return static_cast<std::int64_t>(value.get<double>());
  }
  std::vector<std::string> texts(const char* name) const {
    const Json& value = get(name);
    const bool good = value.is_array() && std::ranges::all_of(value, [](const Json& e) { return e.is_string(); });
    if (!good) fail_input("{}: its argument {} is no list of texts", where_, name);
    return value.get<std::vector<std::string>>();
  }
  // Is the count as the arguments `relation` and `threshold` want it?
  bool holds(std::int64_t count, const char* relation, const char* threshold) const {
    const std::string word = text(relation);
    if (word == "less than") return count < number(threshold);
    if (word == "at least") return count >= number(threshold);
    fail_input("{}: its relation is '{}': use 'less than' or 'at least'", where_, word);
  }
  const std::string& where() const { return where_; }

 private:
  const Json& get(const char* name) const {
    const auto found = values_.find(name);
    if (found == values_.end() || found->is_null()) fail_input("{}: its argument {} is missing", where_, name);
    return *found;
  }
  const Json& values_;
  std::string where_;
};

std::int64_t count_of(const std::string& expression, const std::string& text, const std::string& where) {
  return std::ssize(Pattern(expression, where).find_all(text));
}

std::vector<std::string> split_by(const std::string& expression, const std::string& text, const std::string& where) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (const Pattern::Match& match : Pattern(expression, where).find_all(text)) {
    parts.push_back(text.substr(begin, match.begin - begin));
    begin = match.end;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

bool blank(const std::string& text) { return strip_blanks(text).empty(); }

// A text in no language that can be told counts as right.
bool in_language(const std::string& text, const std::string& wanted) {
  const std::string found(detect_language(text).code);
  return found == "unknown" || found == wanted || found.starts_with(wanted + "-");
}

// Parts between `divider`: how many are not blank; −1 when a blank one is neither first nor last.
std::int64_t parts_between(const std::string& divider, const std::string& text, const std::string& where) {
  const std::vector<std::string> parts = split_by(divider, text, where);
  std::int64_t count = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!blank(parts[i])) {
      ++count;
    } else if (i > 0 && i + 1 < parts.size()) {
      return -1;
    }
  }
  return count;
}

bool paragraph_begins(const std::string& text, const Arguments& a) {
  const std::vector<std::string> parts = split_by("\\n\\n", text, a.where());
  const std::int64_t count = std::ranges::count_if(parts, [](const std::string& p) { return !blank(p); });
  const std::int64_t wanted = a.number("nth_paragraph");
  if (wanted < 1 || wanted > count || count != a.number("num_paragraphs")) return false;
  std::string word = strip_blanks(parts[static_cast<std::size_t>(wanted - 1)]);
  if (word.empty()) return false;
  word = word.substr(0, Pattern("\\s|$", a.where()).find(word)->begin);
  word = word.substr(std::min(word.find_first_not_of('\''), word.size()));
  word = word.substr(std::min(word.find_first_not_of('"'), word.size()));
  return small_letters(word.substr(0, word.find_first_of(".,?!'\""))) == small_letters(a.text("first_word"));
}

std::int64_t highlights(const std::string& text, const std::string& where) {
  std::int64_t count = 0;
  for (const char* expression : {"\\*([^\\n*]*)\\*", "\\*\\*([^\\n*]*)\\*\\*"}) {
    for (const Pattern::Match& match : Pattern(expression, where).find_all(text)) count += !blank(*match.groups[1]);
  }
  return count;
}

bool has_title(const std::string& text, const std::string& where) {
  for (const Pattern::Match& match : Pattern("<<[^\\n]+>>", where).find_all(text)) {
    const std::string& title = *match.groups[0];
    const std::size_t begin = std::min(title.find_first_not_of('<'), title.size());
    const std::size_t end = title.find_last_not_of('>') + 1;
    if (begin < end && !blank(title.substr(begin, end - begin))) return true;
  }
  return false;
}

bool is_json(std::string text) {
  text = strip_blanks(text);
  for (const std::string_view tick : {"```json", "```Json", "```JSON", "```"}) {
    if (text.starts_with(tick)) text = text.substr(tick.size());
  }
  if (text.ends_with("```")) text.resize(text.size() - 3);
  return Json::accept(strip_blanks(text));
}

bool is_postscript(const std::string& text, const Arguments& a) {
  const std::string marker = strip_blanks(a.text("postscript_marker"));
  const std::string expression = marker == "P.P.S"  ? "\\s*p\\.\\s?p\\.\\s?s.*$"
                                 : marker == "P.S." ? "\\s*p\\.\\s?s\\..*$"
                                                    : "\\s*" + small_letters(marker) + ".*$";
  return Pattern("(?m)" + expression, a.where()).find(small_letters(text)).has_value();
}

bool are_two_responses(const std::string& text, const std::string& where) {
  if (parts_between("\\*{6}", text, where) != 2) return false;
  std::vector<std::string> parts = split_by("\\*{6}", text, where);
  std::erase_if(parts, blank);
  return strip_blanks(parts[0]) != strip_blanks(parts[1]);
}

bool ends_with_phrase(const std::string& text, const std::string& phrase) {
  std::string end = strip_blanks(text);
  const std::size_t first = end.find_first_not_of('"');
  if (first == std::string::npos) return blank(phrase);
  end = small_letters(end.substr(first, end.find_last_not_of('"') + 1 - first));
  return end.ends_with(small_letters(strip_blanks(phrase)));
}

std::int64_t letters(const std::string& text, const std::string& letter) {
  const std::string small = small_letters(text), wanted = small_letters(strip_blanks(letter));
  std::int64_t count = 0;
  if (wanted.empty()) return count;
  for (std::size_t at = small.find(wanted); at != std::string::npos; at = small.find(wanted, at + wanted.size())) ++count;
  return count;
}

using Check = std::function<bool(const std::string& text, const Arguments& a)>;

const std::map<std::string, Check>& checks() {
  static const std::map<std::string, Check> all{
      {"keywords:existence", [](const auto& t, const auto& a) {
         return std::ranges::all_of(a.texts("keywords"), [&](const std::string& k) { return count_of("(?i)" + k, t, a.where()) > 0; });
       }},
      {"keywords:frequency", [](const auto& t, const auto& a) {
         return a.holds(count_of("(?i)" + strip_blanks(a.text("keyword")), t, a.where()), "relation", "frequency");
       }},
      {"keywords:forbidden_words", [](const auto& t, const auto& a) {
         return std::ranges::none_of(a.texts("forbidden_words"), [&](const std::string& w) {
           return count_of("(?i)\\b" + w + "\\b", t, a.where()) > 0;
         });
       }},
      {"keywords:letter_frequency", [](const auto& t, const auto& a) {
         return a.holds(letters(t, a.text("letter")), "let_relation", "let_frequency");
       }},
      {"language:response_language", [](const auto& t, const auto& a) { return in_language(t, a.text("language")); }},
      {"length_constraints:number_sentences", [](const auto& t, const auto& a) {
         return a.holds(std::ssize(sentences_of(t)), "relation", "num_sentences");
       }},
      {"length_constraints:number_paragraphs", [](const auto& t, const auto& a) {
         return parts_between("\\s?\\*\\*\\*\\s?", t, a.where()) == a.number("num_paragraphs");
       }},
      {"length_constraints:number_words", [](const auto& t, const auto& a) {
         return a.holds(count_of("\\w+", t, a.where()), "relation", "num_words");
       }},
      {"length_constraints:nth_paragraph_first_word", paragraph_begins},
      {"detectable_content:number_placeholders", [](const auto& t, const auto& a) {
         return count_of("\\[.*?\\]", t, a.where()) >= a.number("num_placeholders");
       }},
      {"detectable_content:postscript", is_postscript},
      {"detectable_format:number_bullet_lists", [](const auto& t, const auto& a) {
         return count_of("(?m)^\\s*\\*[^*].*$", t, a.where()) + count_of("(?m)^\\s*-.*$", t, a.where()) == a.number("num_bullets");
       }},
      {"detectable_format:constrained_response", [](const auto& t, const auto&) {
         return t.find("My answer is yes.") != std::string::npos || t.find("My answer is no.") != std::string::npos ||
                t.find("My answer is maybe.") != std::string::npos;
       }},
      {"detectable_format:number_highlighted_sections", [](const auto& t, const auto& a) {
         return highlights(t, a.where()) >= a.number("num_highlights");
       }},
      {"detectable_format:multiple_sections", [](const auto& t, const auto& a) {
         const std::string divider = "\\s?" + strip_blanks(a.text("section_spliter")) + "\\s?\\d+\\s?";
         return count_of(divider, t, a.where()) >= a.number("num_sections");
       }},
      {"detectable_format:json_format", [](const auto& t, const auto&) { return is_json(t); }},
      {"detectable_format:title", [](const auto& t, const auto& a) { return has_title(t, a.where()); }},
      {"combination:two_responses", [](const auto& t, const auto& a) { return are_two_responses(t, a.where()); }},
      {"combination:repeat_prompt", [](const auto& t, const auto& a) {
         return small_letters(strip_blanks(t)).starts_with(small_letters(strip_blanks(a.text("prompt_to_repeat"))));
       }},
      {"startend:end_checker", [](const auto& t, const auto& a) { return ends_with_phrase(t, a.text("end_phrase")); }},
      {"startend:quotation", [](const auto& t, const auto&) {
         const std::string text = strip_blanks(t);
         return text.size() > 1 && text.front() == '"' && text.back() == '"';
       }},
      {"change_case:capital_word_frequency", [](const auto& t, const auto& a) {
         const auto words = treebank_words(t);
         return a.holds(std::ranges::count_if(words, all_upper), "capital_relation", "capital_frequency");
       }},
      {"change_case:english_capital", [](const auto& t, const auto&) { return all_upper(t) && in_language(t, "en"); }},
      {"change_case:english_lowercase", [](const auto& t, const auto&) { return all_lower(t) && in_language(t, "en"); }},
      {"punctuation:no_comma", [](const auto& t, const auto&) { return t.find(',') == std::string::npos; }},
  };
  return all;
}

// The answer, and what loose checks make of it.
std::vector<std::string> variants(const std::string& answer) {
  const std::size_t first = answer.find('\n'), last = answer.rfind('\n');
  const bool one_line = first == std::string::npos;
  const std::string without_first = one_line ? "" : strip_blanks(answer.substr(first + 1));
  const std::string without_last = one_line ? "" : strip_blanks(answer.substr(0, last));
  const std::string without_both = one_line || first == last ? "" : strip_blanks(answer.substr(first + 1, last - first - 1));
  std::vector<std::string> all{answer, without_first, without_last, without_both};
  for (std::size_t i = 0; i < 4; ++i) {
    std::string plain = all[i];
    std::erase(plain, '*');
    all.push_back(std::move(plain));
  }
  return all;
}

}  // namespace

InstructionScores follow_instructions(const Item& item, const std::string& answer) {
  const Json& row = *item.fields;
  const auto ids = row.find("instruction_id_list"), kwargs = row.find("kwargs");
  const bool good = ids != row.end() && kwargs != row.end() && ids->is_array() && kwargs->is_array() && ids->size() == kwargs->size();
  if (!good) fail_input("{}: its instruction_id_list and kwargs are no lists of one length", item.where);
  const std::vector<std::string> texts = variants(answer);
  InstructionScores scores;
  for (std::size_t i = 0; i < ids->size(); ++i) {
    const std::string id = (*ids)[i].is_string() ? (*ids)[i].get<std::string>() : (*ids)[i].dump();
    const auto check = checks().find(id);
    if (check == checks().end()) fail_input("{}: there is no instruction '{}'", item.where, id);
    const Arguments arguments((*kwargs)[i], item.where + ": " + id);
    const auto follows = [&](const std::string& text) { return !blank(text) && check->second(text, arguments); };
    scores.strict.push_back(follows(texts[0]));
    scores.loose.push_back(std::ranges::any_of(texts, follows));
  }
  return scores;
}

}  // namespace fathom::eval

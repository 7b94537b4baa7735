#include "data/clean/exam_rule.h"

#include <algorithm>
#include <array>

#include "data/clean/rules.h"
#include "text/answer_options.h"
#include "text/ascii.h"

namespace fathom::clean {
namespace {

// Whether a text asks for something: a question mark, empty parentheses or a gap.
bool is_stem(std::string_view text) {
  static constexpr std::array<std::string_view, 9> marks = {
      "?", "？", "( )", "()", "（ ）", "（）", "（\u3000）", "（  ）", "___"};
  return std::ranges::any_of(
      marks, [&](std::string_view mark) { return text.find(mark) != std::string_view::npos; });
}

// Whether a line is as "Answer: B" or "答案：B".
bool is_answer_key(std::string_view line) {
  static constexpr std::array<std::string_view, 6> names = {"correct answer", "answer", "ans",
                                                            "【答案】",       "答案",   "正确答案"};
  static constexpr std::array<std::string_view, 5> between = {" ", ":", "：", "(", "."};
  const auto skip = [&](std::string_view start) {
    const bool is = ascii::equal_ignoring_case(line.substr(0, start.size()), start);
    if (is) line.remove_prefix(start.size());
    return is;
  };
  line = trimmed(line);
  if (std::ranges::none_of(names, skip)) return false;
  while (std::ranges::any_of(between, skip)) continue;
  const bool letter = !line.empty() && line[0] >= 'A' && line[0] <= 'H';
  return letter && (line.size() == 1 || !ascii::is_alphanumeric(line[1]));
}

// Adds up the questions of a text, line by line.
class QuestionLines {
 public:
  explicit QuestionLines(const std::vector<Line>& lines) : lines_(lines) {}

  std::uint64_t characters() {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (trimmed(lines_[i].text).empty()) continue;
      if (add_options(i)) {
        others_ = 0;
      } else {
        if (options_ >= fewest && is_answer_key(lines_[i].text)) asked_ = true;
        if (++others_ > max_others) close();
      }
      before_ = i;
    }
    close();
    return characters_;
  }

 private:
  static constexpr int fewest = 3, most = 8, max_others = 2;
  static constexpr std::ptrdiff_t longest = 100;  // option, in characters

  // Whether the line has options of the question that is open, or opens one.
  bool add_options(std::size_t line) {
    const std::string_view text = lines_[line].text;
    const std::vector<AnswerOption> found = find_options(text);
    bool any = false;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const auto [letter, begin, apart] = found[i];
      const std::size_t before = i > 0 ? found[i - 1].begin : 0;
      const std::string_view ahead = text.substr(before, begin - before);
      const std::size_t end = i + 1 < found.size() ? found[i + 1].begin : text.size();
      const bool next = options_ > 0 && options_ < most && letter == 'A' + options_;
      if (!(next || letter == 'A') || !(apart || any)) continue;
      if (letter == 'A') open(line, ahead);
      ++options_;
      last_ = line;
      any = true;
      const std::string_view option = text.substr(begin, end - begin);
      long_ |= std::ranges::count_if(option, [](char c) { return (c & 0xc0) != 0x80; }) > longest;
    }
    return any;
  }

  // `ahead`: what is in the line before its first option, from the option before on.
  void open(std::size_t line, std::string_view ahead) {
    close();
    first_ = trimmed(ahead).empty() ? before_ : line;
    asked_ = is_stem(first_ == line ? ahead : lines_[before_].text);
    long_ = false;
  }

  void close() {
    if (options_ >= fewest && asked_ && !long_) {
      for (std::size_t i = std::max(first_, counted_); i <= last_; ++i) {
        characters_ += lines_[i].characters;
      }
      counted_ = last_ + 1;
    }
    options_ = 0;
  }

  const std::vector<Line>& lines_;
  int options_ = 0;          // of the question that is open
  bool asked_ = false;       // it has a stem or an answer
  bool long_ = false;        // an option of it is too long
  std::size_t first_ = 0;    // the line of its stem
  std::size_t last_ = 0;     // the line of its last option
  std::size_t before_ = 0;   // the last line that is not blank
  std::size_t counted_ = 0;  // lines before are counted, or in no question
  int others_ = 0;           // lines without an option since the last one
  std::uint64_t characters_ = 0;
};

}  // namespace

double multiple_choice(const TextFacts& facts) {
  return ratio(QuestionLines(facts.lines).characters(), facts.characters);
}

}  // namespace fathom::clean

#include "data/clean/exam_rule.h"

#include <algorithm>

#include "data/clean/rules.h"
#include "text/answer_options.h"

namespace fathom::clean {
namespace {

// Adds up the questions of a text, line by line.
class QuestionLines {
 public:
  explicit QuestionLines(const std::vector<Line>& lines) : lines_(lines) {}

  std::uint64_t characters() {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (trimmed(lines_[i].text).empty()) continue;
      if (add_options(i)) {
        others_ = 0;
      } else if (++others_ > max_others) {
        close();
      }
      before_ = i;
    }
    close();
    return characters_;
  }

 private:
  static constexpr int fewest = 3, most = 8, max_others = 2;

  // Whether the line has options of the question that is open, or opens one.
  bool add_options(std::size_t line) {
    bool any = false;
    for (std::size_t from = 0; const auto option = next_option(lines_[line].text, from);) {
      if (option->letter == 'A') {
        close();
        first_ = any ? line : before_;
      }
      ++options_;
      last_ = line;
      any = true;
      from = option->begin + 1;
    }
    return any;
  }

  // The next one of the open question, or an A, whichever is first.
  std::optional<AnswerOption> next_option(std::string_view line, std::size_t from) const {
    const auto first = find_option(line, 'A', from);
    if (options_ == 0 || options_ == most) return first;
    const auto next = find_option(line, static_cast<char>('A' + options_), from);
    return !first || (next && next->begin < first->begin) ? next : first;
  }

  void close() {
    if (options_ >= fewest) {
      for (std::size_t i = std::max(first_, counted_); i <= last_; ++i) {
        characters_ += lines_[i].characters;
      }
      counted_ = last_ + 1;
    }
    options_ = 0;
  }

  const std::vector<Line>& lines_;
  int options_ = 0;          // of the question that is open
  std::size_t first_ = 0;    // its line before the first option
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

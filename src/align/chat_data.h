// Files of conversations as tokens to learn. `sft` and `data check` read their data here; for
// pairs of answers see preference_data.h.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "align/chat_template.h"
#include "align/example_set.h"
#include "tokenizer/tokenizer.h"

namespace fathom {

// What to do with a row that can't be used as it is.
enum class RowPolicy { refuse, leave_out };
inline std::span<const std::string_view> enum_names(RowPolicy) {
  static constexpr std::string_view names[] = {"refuse", "leave_out"};
  return names;
}

// What to do with multiple-choice exams, which teach a model to answer by a letter.
enum class Exams { keep, leave_out };
inline std::span<const std::string_view> enum_names(Exams) {
  static constexpr std::string_view names[] = {"keep", "leave_out"};
  return names;
}

struct ChatDataOptions {
  ChatOptions chat;
  std::int64_t context = 0;  // longest conversation in tokens; 0: any
  RowPolicy too_long = RowPolicy::refuse;
  RowPolicy bad_rows = RowPolicy::refuse;
  Exams multiple_choice = Exams::keep;
  bool detect_languages = false;  // counts them in the statistics
};

struct ChatStatistics {
  // Counts of rows left out, with the first for messages.
  struct LeftOut {
    std::int64_t rows = 0;
    std::string first;  // the message, with file and line
    void add(const std::string& message);
  };

  std::int64_t rows = 0;  // read
  LeftOut bad, too_long, multiple_choice;
  std::int64_t examples = 0;            // kept; rows of trees and rankings give several
  std::int64_t turns = 0, answers = 0;  // messages, and those of them that the assistant wrote
  std::int64_t tokens = 0, learned_tokens = 0;
  std::int64_t unended = 0;           // examples with an answer that lacks its end-of-turn token
  std::vector<std::int32_t> lengths;  // tokens of each example kept or too long, in order
  std::map<std::string, std::int64_t> scripts;  // examples by their prevailing script
  // Examples by their language (text/language.h), when that is detected.
  std::map<std::string, std::int64_t> languages;

  // The length that `share` of the examples do not exceed; 0 when there are none.
  std::int64_t length_at(double share) const;
};

// Adds every conversation of the files (paths, directories and patterns, as io/input_files.h
// reads them) to `examples`, in the files' order. Throws an input Error that names file and line of
// a bad or too long row, unless these are to be left out, and when nothing is left.
ChatStatistics read_examples(const std::vector<std::string>& paths, const ChatTemplate& chat,
                             const Tokenizer& tokenizer, const ChatDataOptions& options,
                             ExampleSet& examples);

// Lines for people about what was read and left out.
std::vector<std::string> lines_about(const ChatStatistics& statistics);

}  // namespace fathom

// Finds passages of benchmarks in documents: equal sequences of words or, in scripts without
// blanks, of characters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/enum_names.h"

namespace fathom::clean {

enum class ContaminationAction {
  drop,  // the document
  cut,   // the passage: the lines that it touches
};
inline std::span<const std::string_view> enum_names(ContaminationAction) {
  static constexpr std::string_view names[] = {"drop", "cut"};
  return names;
}

struct ContaminationConfig {
  std::vector<std::string> tasks;
  std::string data = "benchmarks";
  std::string configs = "configs/tasks";
  std::int64_t words = 10;
  std::int64_t characters = 20;
  ContaminationAction action = ContaminationAction::drop;
};
template <class Visitor>
void visit_fields(ContaminationConfig& c, Visitor&& field) {
  field("tasks", c.tasks, "benchmarks that `fathom eval` knows; none: no search for their texts");
  field("data", c.data, "the folder with their data, as of `fathom eval --data`");
  field("configs", c.configs, "the folder with the tasks' files");
  field("words", c.words, "a passage is one when so many words in a row are equal");
  field("characters", c.characters, "and so many characters where there are no blanks");
  field("action", c.action, "drop the document, or cut the lines of the passage");
}

struct Passage {
  std::uint32_t task = 0;          // of Contamination::tasks()
  std::size_t begin = 0, end = 0;  // bytes of the document
};

// The sequences of `words` words (Brown et al., arXiv 2005.14165, took 13 and DeepSeekMath, arXiv
// 2402.03300, takes 10) or `characters` ideographs of all texts of the tasks, compared without
// case, width, blanks and punctuation. In mixed text a word counts 1/words and an ideograph
// 1/characters of a sequence. Texts that are shorter are not searched.
class Contamination {
 public:
  explicit Contamination(const ContaminationConfig& config)
      : words_(config.words), characters_(config.characters), action_(config.action) {}

  // Adds a text of a task: a question, an answer.
  void add(const std::string& task, std::string_view text);

  // The passages of a document, which neither overlap nor touch, in order; adjoining ones of
  // different tasks count as the first's. Any thread may call it.
  std::vector<Passage> find(std::string_view text) const;

  const std::vector<std::string>& tasks() const { return tasks_; }
  std::size_t sequences() const { return sequences_.size(); }
  std::int64_t texts() const { return texts_; }              // added
  std::int64_t short_texts() const { return short_texts_; }  // of them, not searched
  std::uint64_t checksum() const;                            // of the sequences, with their tasks
  ContaminationAction action() const { return action_; }

 private:
  template <class F>
  void for_each_sequence(std::string_view text, F&& f) const;

  std::int64_t words_, characters_;
  ContaminationAction action_;
  std::vector<std::string> tasks_;
  std::unordered_map<std::uint64_t, std::uint32_t> sequences_;  // hash to task
  std::int64_t texts_ = 0, short_texts_ = 0;
};

// `text` without the lines that passages touch.
std::string without_passages(std::string_view text, const std::vector<Passage>& passages);

}  // namespace fathom::clean

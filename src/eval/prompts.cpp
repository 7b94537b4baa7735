#include "eval/prompts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "eval/prompt_templates.h"
#include "eval/python_random.h"
#include "eval/row_fields.h"

namespace fathom::eval {
namespace {

struct Example {
  std::string question, answer;  // fixed texts are questions without an answer
};

// The examples before a row's question.
class Examples {
 public:
  Examples(const TaskConfig& task, const PromptTemplates& templates, std::vector<Row> rows)
      : shots_(task.shots), random_(static_cast<std::uint64_t>(shots_.seed)) {
    if (shots_.count == 0 || !shots_.texts.empty()) return;
    for (Row& row : rows) {
      Pool& pool = pools_[row.subset];
      if (shots_.draw != ShotDraw::same_value) pool.examples.push_back(example_of(templates, row));
      pool.rows.push_back(std::move(row));
    }
  }

  // `own`: the examples are the task's own rows, so that the row itself must be left out.
  std::vector<Example> before(const PromptTemplates& templates, const Row& row, bool own) {
    std::vector<Example> examples;
    if (shots_.count == 0) return examples;
    if (!shots_.texts.empty()) {
      for (std::int64_t i = 0; i < shots_.count; ++i) examples.push_back({shots_.texts[static_cast<std::size_t>(i)], ""});
      return examples;
    }
    // Examples without parts serve all parts.
    const auto found = pools_.contains(row.subset) ? pools_.find(row.subset) : pools_.find("");
    if (found == pools_.end()) fail_too_few(row, 0);
    const Pool& pool = found->second;
    for (const std::size_t i : chosen(pool, row, own)) {
      examples.push_back(pool.examples.empty() ? example_of(templates, pool.rows[i]) : pool.examples[i]);
    }
    return examples;
  }

 private:
  struct Pool {
    std::vector<Row> rows;
    std::vector<Example> examples;  // empty: made when needed
  };

  static Example example_of(const PromptTemplates& templates, const Row& row) {
    return {templates.example_context(row), templates.target(row)};
  }

  [[noreturn]] void fail_too_few(const Row& row, std::int64_t there) const {
    fail_input("{}: there are {} rows for {} examples (shots.count)", row.where, there, shots_.count);
  }

  std::vector<std::size_t> chosen(const Pool& pool, const Row& row, bool own) {
    const auto wanted = static_cast<std::size_t>(shots_.count);
    const auto is_itself = [&](std::size_t i) { return own && *pool.rows[i].fields == *row.fields; };
    std::vector<std::size_t> numbers;
    if (shots_.draw == ShotDraw::sample) {
      const std::size_t drawn = wanted + (own ? 1 : 0);
      if (drawn > pool.rows.size()) fail_too_few(row, std::ssize(pool.rows));
      for (const std::size_t i : random_.sample(pool.rows.size(), drawn)) {
        if (numbers.size() < wanted && !is_itself(i)) numbers.push_back(i);
      }
      return numbers.size() < wanted ? drawn_from_others(pool, row, is_itself) : numbers;
    }
    for (std::size_t i = 0; i < pool.rows.size() && numbers.size() < wanted; ++i) {
      if (is_itself(i) || (shots_.draw == ShotDraw::same_value && !has_same(pool.rows[i], row))) continue;
      numbers.push_back(i);
    }
    // Of one passage there may be fewer.
    if (numbers.size() < wanted && shots_.draw == ShotDraw::first) fail_too_few(row, std::ssize(numbers));
    return numbers;
  }

  // Where a row stands in the pool more than once, several of those drawn may have been the row.
  template <class IsItself>
  std::vector<std::size_t> drawn_from_others(const Pool& pool, const Row& row, IsItself is_itself) {
    std::vector<std::size_t> others;
    for (std::size_t i = 0; i < pool.rows.size(); ++i) {
      if (!is_itself(i)) others.push_back(i);
    }
    const auto wanted = static_cast<std::size_t>(shots_.count);
    if (others.size() < wanted) fail_too_few(row, std::ssize(others));
    std::vector<std::size_t> numbers;
    for (const std::size_t i : random_.sample(others.size(), wanted)) numbers.push_back(others[i]);
    return numbers;
  }

  bool has_same(const Row& one, const Row& other) const {
    const auto a = one.fields->find(shots_.same), b = other.fields->find(shots_.same);
    if (b == other.fields->end()) fail_input("{}: it has no field '{}'", other.where, shots_.same);
    return a != one.fields->end() && *a == *b;
  }

  const ShotsConfig& shots_;
  PythonRandom random_;
  std::map<std::string, Pool> pools_;  // by subset
};

// What stands before a row's question.
class Beginning {
 public:
  Beginning(const TaskConfig& task, const PromptOptions& options, const std::string& description,
            const std::vector<Example>& examples)
      : form_(options.form), text_(description) {
    const std::string& separator = task.shots.separator;
    for (const Example& example : examples) {
      text_ += example.question + (example.answer.empty() ? "" : task.prompt.delimiter + example.answer) + separator;
    }
    if (form_ == PromptForm::text) return;
    const bool both = !options.system.empty() && !description.empty();
    const std::string system = options.system + (both ? separator : "") + description;
    if (!system.empty()) messages_.push_back(make_message("system", system));
    for (const Example& example : examples) {
      if (example.answer.empty()) {
        loose_ += example.question + separator;
        continue;
      }
      messages_.push_back(make_message("user", example.question));
      messages_.push_back(make_message("assistant", example.answer));
    }
  }

  std::string with(const std::string& question) const { return text_ + question; }
  Chat chat(const std::string& question) const {
    if (form_ == PromptForm::text) return nullptr;
    auto conversation = std::make_shared<Conversation>();
    conversation->messages = messages_;
    conversation->messages.push_back(make_message("user", loose_ + question));
    return conversation;
  }

 private:
  PromptForm form_;
  std::string text_;
  std::vector<Message> messages_;
  std::string loose_;  // examples that are no questions with answers, which the last message begins with
};

void add_pairs(Item& item, const TaskConfig& task, const PromptTemplates& templates, const Row& row,
               const Beginning& before, PromptForm form) {
  const PromptConfig& prompt = task.prompt;
  const std::string delimiter = form == PromptForm::chat ? "" : prompt.delimiter;
  if (!prompt.contexts.empty()) {
    const std::string answer = templates.target(row);
    for (const std::string& context : templates.contexts(row)) {
      item.pairs.push_back({before.with(context), delimiter + answer, before.chat(context)});
      item.answers.push_back(answer);
    }
    item.gold = templates.gold(row, std::ssize(item.pairs), {});
    return;
  }
  const std::string question = templates.context(row);
  if (task.mode == Mode::likelihood) {
    item.answers = {templates.target(row)};
  } else {
    item.answers = templates.choices(row);
    item.gold = templates.gold(row, std::ssize(item.answers), item.answers);
  }
  const std::string context = before.with(question);
  const Chat chat = before.chat(question);
  for (const std::string& answer : item.answers) {
    item.pairs.push_back({context, delimiter + answer, chat});
    if (prompt.unconditional) item.unconditional.push_back({*prompt.unconditional, prompt.delimiter + answer});
  }
}

}  // namespace

std::vector<Item> make_items(const TaskConfig& task, std::vector<Row> rows, std::vector<Row> shots,
                             const PromptOptions& options) {
  const RowFields fields(task.fields, task.source);
  for (Row& row : rows) fields.add_to(row);
  for (Row& row : shots) fields.add_to(row);
  const PromptTemplates templates(task);
  const bool own = task.shots.data.files.empty();
  Examples examples(task, templates, own ? rows : std::move(shots));
  std::vector<Item> items;
  for (const Row& row : rows) {
    Item& item = items.emplace_back();
    item.row = std::ssize(items) - 1;
    item.subset = row.subset;
    item.where = row.where;
    item.fields = row.fields;
    if (task.mode == Mode::perplexity) {
      item.document = templates.target(row);
      continue;
    }
    const Beginning before(task, options, templates.description(row), examples.before(templates, row, own));
    if (task.mode == Mode::generate) {
      const std::string question = templates.context(row);
      item.prompt = before.with(question);
      item.chat = before.chat(question);
      item.gold_texts = templates.golds(row);
      for (const std::vector<std::string>& texts : item.gold_texts) item.golds.push_back(fmt::format("{}", fmt::join(texts, ", ")));
    } else {
      add_pairs(item, task, templates, row, before, options.form);
    }
  }
  return items;
}

std::vector<Item> load_items(const TaskConfig& task, const std::string& directory, std::int64_t limit,
                             const PromptOptions& options) {
  std::vector<Row> rows = read_rows(task.data, directory, task.source + ": data");
  std::vector<Row> shots;
  if (task.shots.count > 0 && task.shots.texts.empty() && !task.shots.data.files.empty()) {
    shots = read_rows(task.shots.data, directory, task.source + ": shots.data");
  }
  std::vector<Item> items = make_items(task, std::move(rows), std::move(shots), options);
  if (limit > 0 && limit < std::ssize(items)) items.resize(static_cast<std::size_t>(limit));
  return items;
}

}  // namespace fathom::eval

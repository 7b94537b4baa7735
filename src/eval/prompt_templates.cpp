#include "eval/prompt_templates.h"

#include <algorithm>
#include <charconv>

#include "core/error.h"

namespace fathom::eval {
namespace {

std::optional<std::int64_t> whole_number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

PromptTemplates::PromptTemplates(const TaskConfig& task) : prompt_(task.prompt) {
  const auto text = [&](const std::string& source, const char* key) {
    return TextTemplate(source, task.source + ": prompt." + key);
  };
  const auto add = [&](std::optional<TextTemplate>& to, const std::string& source, const char* key) {
    if (!source.empty()) to.emplace(text(source, key));
  };
  add(description_, prompt_.description, "description");
  add(context_, prompt_.context, "context");
  add(gold_, prompt_.gold, "gold");
  add(gold_choice_, prompt_.gold_choice, "gold_choice");
  add(target_, prompt_.target, "target");
  for (const std::string& source : prompt_.contexts) contexts_.push_back(text(source, "contexts"));
  for (const std::string& source : prompt_.choices) choices_.push_back(text(source, "choices"));
  if (!prompt_.choice_list.empty()) {
    choice_list_.emplace(prompt_.choice_list, task.source + ": prompt.choice_list");
  }
  if (!prompt_.golds.empty()) golds_.emplace(prompt_.golds, task.source + ": prompt.golds");
}

std::vector<std::string> PromptTemplates::choices(const Row& row) const {
  std::vector<std::string> texts = choice_list_ ? choice_list_->list(row) : rendered(choices_, row);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].empty()) fail_input("{}: its choice {} is empty", row.where, i + 1);
  }
  return texts;
}

std::int64_t PromptTemplates::gold(const Row& row, std::int64_t count, const std::vector<std::string>& choices) const {
  if (gold_choice_) {
    const std::string text = gold_choice_->render(row);
    const auto found = std::ranges::find(choices, text);
    if (found == choices.end()) {
      fail_input("{}: its right answer '{}' is none of its choices", row.where, text);
    }
    return found - choices.begin();
  }
  const std::string text = rendered(gold_, row);
  const std::optional<std::int64_t> number = whole_number(text);
  if (!number) fail_input("{}: its right answer '{}' is no choice's number", row.where, text);
  if (*number < 0 || *number >= count) {
    fail_input("{}: its right answer is number {}, and there are the choices 0 to {}", row.where,
               *number, count - 1);
  }
  return *number;
}

std::string PromptTemplates::target(const Row& row) const {
  if (target_) return target_->render(row);
  const std::vector<std::string> texts = choices(row);
  return texts[static_cast<std::size_t>(gold(row, std::ssize(texts), texts))];
}

std::vector<std::vector<std::string>> PromptTemplates::golds(const Row& row) const {
  if (!golds_) return target_ ? std::vector<std::vector<std::string>>{{target(row)}} : std::vector<std::vector<std::string>>{};
  std::vector<std::vector<std::string>> texts = golds_->lists(row);
  if (texts.empty()) fail_input("{}: it has no right answer", row.where);
  return texts;
}

std::string PromptTemplates::example_context(const Row& row) const {
  if (contexts_.empty()) return context(row);
  const std::vector<std::string> all = contexts(row);
  return all[static_cast<std::size_t>(gold(row, std::ssize(all), {}))];
}

std::string PromptTemplates::rendered(const std::optional<TextTemplate>& source, const Row& row) {
  return source ? source->render(row) : "";
}

std::vector<std::string> PromptTemplates::rendered(const std::vector<TextTemplate>& sources, const Row& row) {
  std::vector<std::string> texts;
  for (const TextTemplate& source : sources) texts.push_back(source.render(row));
  return texts;
}

}  // namespace fathom::eval

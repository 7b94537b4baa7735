#include "align/answer_files.h"

#include "align/conversation_rows.h"
#include "align/formats/formats.h"
#include "align/row.h"
#include "core/error.h"
#include "text/records.h"

namespace fathom {
namespace {

RowJson messages_json(const std::vector<Message>& messages) {
  RowJson list = RowJson::array();
  for (const Message& message : messages) {
    RowJson one = RowJson::object();
    one["role"] = message.role;
    for (const auto& [key, value] : message.fields.items()) one[key] = value;
    list.push_back(std::move(one));
  }
  return list;
}

// Text that ends inside a character has U+FFFD there.
std::string line_of(const RowJson& row) {
  return row.dump(-1, ' ', false, RowJson::error_handler_t::replace);
}

Conversation prompt_of_row(const RowJson& row) {
  Conversation prompt;
  for (const char* key : {"messages", "conversations", "conversation"}) {
    if (has_field(row, key)) prompt = formats::messages_row(row, key);
  }
  if (has_field(row, "prompt")) {
    prompt = formats::prompt_row(row, "prompt");
  }
  if (prompt.messages.empty()) prompt = conversations_of(row).front();
  while (!prompt.messages.empty() && prompt.messages.back().role == "assistant") {
    prompt.messages.pop_back();
  }
  check_conversation(prompt, ConversationUse::prompt);
  return prompt;
}

template <class Read>
void read_rows_of(const std::vector<std::string>& paths, Read&& read) {
  RecordReader reader(paths);
  JsonRecord record;
  while (reader.next(record)) {
    with_location(record.where(), [&] { read(parse_row(record)); });
  }
}

bool flag(const RowJson& answer, const char* key) {
  const auto found = answer.find(key);
  if (found == answer.end() || !found->is_boolean())
    fail_input("'answers' wants '{}' as a boolean", key);
  return found->get<bool>();
}

AnswerSample answer_of_row(const RowJson& answer) {
  if (!answer.is_object()) fail_input("'answers' holds {}, not an object", answer.type_name());
  AnswerSample sample;
  sample.text = text_field(answer, "answer");
  const auto tokens = answer.find("tokens");
  if (tokens == answer.end() || !tokens->is_number_integer()) {
    fail_input("'answers' wants 'tokens' as a whole number");
  }
  sample.tokens = tokens->get<std::int64_t>();
  sample.ended = flag(answer, "ended");
  sample.repeats = flag(answer, "repeats");
  return sample;
}

}  // namespace

std::vector<Conversation> read_prompts(const std::vector<std::string>& paths) {
  std::vector<Conversation> prompts;
  read_rows_of(paths, [&](const RowJson& row) { prompts.push_back(prompt_of_row(row)); });
  if (prompts.empty()) fail_input("{}: no prompt is in it", paths.empty() ? "" : paths.front());
  return prompts;
}

std::string answers_line(const SampledPrompt& sampled) {
  RowJson row;
  row["prompt"] = messages_json(sampled.prompt);
  row["answers"] = RowJson::array();
  for (const AnswerSample& answer : sampled.answers) {
    RowJson one;
    one["answer"] = answer.text;
    one["tokens"] = answer.tokens;
    one["ended"] = answer.ended;
    one["repeats"] = answer.repeats;
    row["answers"].push_back(std::move(one));
  }
  return line_of(row);
}

std::vector<SampledPrompt> read_answers(const std::string& path) {
  std::vector<SampledPrompt> all;
  read_rows_of({path}, [&](const RowJson& row) {
    SampledPrompt sampled;
    sampled.prompt = prompt_of_row(row).messages;
    for (const RowJson& answer : list_field(row, "answers")) {
      sampled.answers.push_back(answer_of_row(answer));
    }
    all.push_back(std::move(sampled));
  });
  return all;
}

std::vector<std::vector<double>> parse_scores(std::string_view text, const std::string& source,
                                              const std::vector<SampledPrompt>& answers) {
  std::vector<std::vector<double>> scores;
  std::size_t line = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line;
    const RowJson row = RowJson::parse(one, nullptr, false);
    const bool numbers =
        row.is_array() && std::ranges::all_of(row, [](const RowJson& v) { return v.is_number(); });
    if (!numbers) fail_input("{}:{}: not an array of numbers such as [0.5, 2]", source, line);
    if (line > answers.size() || row.size() != answers[line - 1].answers.size()) {
      fail_input("{}:{}: {} scores, where there are {} answers", source, line, row.size(),
                 line > answers.size() ? 0 : answers[line - 1].answers.size());
    }
    scores.push_back(row.get<std::vector<double>>());
  }
  if (scores.size() != answers.size()) {
    fail_input("{}: scores for {} prompts, and there are {}", source, scores.size(),
               answers.size());
  }
  return scores;
}

std::string pair_line(const SampledPrompt& sampled, const std::vector<double>& scores) {
  const auto pair = best_and_worst(sampled.answers, scores);
  if (!pair) return "";
  RowJson row;
  row["prompt"] = messages_json(sampled.prompt);
  row["chosen"] = sampled.answers[pair->best].text;
  row["rejected"] = sampled.answers[pair->worst].text;
  row["chosen_score"] = scores[pair->best];
  row["rejected_score"] = scores[pair->worst];
  return line_of(row);
}

}  // namespace fathom

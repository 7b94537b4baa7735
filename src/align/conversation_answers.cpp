#include "align/conversation_answers.h"

#include <algorithm>
#include <ctime>
#include <map>

#include "align/conversation_rows.h"
#include "align/formats/formats.h"
#include "core/error.h"
#include "core/progress.h"

namespace fathom {
namespace {

struct Question {
  RowJson row;
  std::string where;  // "chat.jsonl:3"
  std::vector<std::int32_t> tokens;
};

Conversation conversation_of(const RowJson& row) {
  for (const char* key : {"messages", "conversations", "conversation"}) {
    if (has_field(row, key)) return formats::messages_row(row, key);
  }
  if (has_field(row, "instruction")) return formats::alpaca_prompt(row);
  for (const char* key : {"prompt", "question"}) {
    if (has_field(row, key)) return formats::prompt_row(row, key);
  }
  fail_input("has no question (its keys: {}); wants messages, prompt, instruction or question",
             keys_of(row));
}

std::vector<Question> read_questions(const std::string& path, const infer::LoadedModel& model,
                                     const ChatTemplate& chat, const AnswerOptions& options) {
  ChatOptions how;
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  how.now = *localtime_r(&now, &local);
  if (options.system) {
    how.system = SystemPrompt::replace;
    how.system_text = *options.system;
  }
  std::vector<Question> questions;
  RecordReader reader({path});
  for (JsonRecord record; reader.next(record);) {
    with_location(record.where(), [&] {
      RowJson row = parse_row(record);
      const Conversation conversation = conversation_of(row);
      if (!conversation.messages.empty() && conversation.messages.back().role == "assistant") {
        fail_input("ends with the assistant's message, which leaves nothing to answer");
      }
      std::vector<std::int32_t> tokens = chat.encode_prompt(conversation, model.tokenizer, how);
      questions.push_back({std::move(row), record.where(), std::move(tokens)});
    });
  }
  if (questions.empty()) fail_input("{}: it contains no conversation", path);
  return questions;
}

infer::EngineOptions engine_options(const std::vector<Question>& questions,
                                    const infer::LoadedModel& model, const AnswerOptions& options) {
  std::int64_t longest = 0;
  for (const Question& question : questions) {
    longest = std::max(longest, std::ssize(question.tokens));
  }
  infer::EngineOptions engine;
  engine.limits.max_sequences = std::min(options.batch, std::ssize(questions));
  const std::int64_t context = model.stage->config().max_position;
  // Both parts of the sum are at most the context, so it does not overflow.
  engine.max_length =
      std::max<std::int64_t>(2, std::min(longest, context) + std::min(options.max_tokens, context));
  return engine;
}

std::map<infer::RequestId, std::size_t> submit(const std::vector<Question>& questions,
                                               const AnswerOptions& options,
                                               infer::TextEngine& engine) {
  std::map<infer::RequestId, std::size_t> numbers;
  for (const Question& question : questions) {
    infer::TextRequest request;
    request.prompt = question.tokens;
    request.max_tokens = options.max_tokens;
    request.stop = options.stop;
    request.sampling = options.sampling;
    request.sampling.stream = numbers.size();
    const infer::RequestId id =
        with_location(question.where, [&] { return engine.submit(request); });
    numbers.emplace(id, numbers.size());
  }
  return numbers;
}

}  // namespace

void answer_conversations(const std::string& path, const infer::LoadedModel& model,
                          const ChatTemplate& chat, const AnswerOptions& options, Context& context,
                          std::ostream& out) {
  std::vector<Question> questions = read_questions(path, model, chat, options);
  infer::TextEngine engine(model, context, engine_options(questions, model, options));
  const auto numbers = submit(questions, options, engine);
  struct Written {
    std::string text;
    std::int64_t tokens = 0;
    infer::FinishReason finish = infer::FinishReason::none;
    bool finished() const { return finish != infer::FinishReason::none; }
  };
  std::vector<Written> answers(questions.size());
  std::size_t next = 0;  // row to write
  Progress progress("answer", questions.size());
  while (!engine.idle()) {
    for (const infer::TextEvent& event : engine.step()) {
      Written& answer = answers[numbers.at(event.request)];
      answer.text += event.text;
      answer.tokens += std::ssize(event.tokens);
      answer.finish = event.finish;
      if (answer.finished()) progress.advance(1);
    }
    for (; next < answers.size() && answers[next].finished(); ++next) {
      RowJson& row = questions[next].row;
      std::string& text = answers[next].text;
      text.erase(0, std::min(text.find_first_not_of(" \t\r\n\v\f"), text.size()));
      row["answer"] = std::move(text);
      row["answer_tokens"] = answers[next].tokens;
      row["finish_reason"] = infer::to_string(answers[next].finish);
      // Text may end inside a character, which becomes U+FFFD.
      out << row.dump(-1, ' ', false, RowJson::error_handler_t::replace) << '\n';
    }
  }
  out.flush();
}

}  // namespace fathom

// Answers to files of conversations.
#include "align/conversation_answers.h"

#include <gmock/gmock.h>

#include <sstream>

#include "align/chat_model.h"
#include "align/row.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::input_error_of;
using test::TempDir;
using test::write_file;
using testing::ElementsAre;
using testing::HasSubstr;

AnswerOptions greedy(std::int64_t batch) {
  AnswerOptions options;
  options.max_tokens = 9;
  options.sampling.temperature = 0;
  options.batch = batch;
  return options;
}

std::vector<RowJson> answered(ChatModel& m, const std::string& path, const AnswerOptions& options) {
  std::ostringstream out;
  answer_conversations(path, m.model, m.chat, options, m.context, out);
  std::vector<RowJson> rows;
  std::istringstream in(out.str());
  for (std::string line; std::getline(in, line);) rows.push_back(RowJson::parse(line));
  return rows;
}

std::vector<std::string> keys(const RowJson& row) {
  std::vector<std::string> names;
  for (const auto& [key, value] : row.items()) names.push_back(key);
  return names;
}

// Rows of each kind, the first the longest, so that it ends last.
std::string questions() {
  return std::string(R"({"id": 7, "messages": [{"role": "system", "content": "Be kind."},)") +
         R"({"role": "user", "content": "Hi, and )" + std::string(90, 'x') +
         R"("}], "tag": null})" + "\n\n" + R"({"prompt": "Hi"})" + "\n" +
         R"({"instruction": "Hi", "input": ""})" + "\n" +
         R"({"conversations": [{"from": "human", "value": "Hi"}]})" + "\n";
}

TEST(ConversationAnswers, KeepTheRowsAndTheirOrder) {
  const TempDir dir;
  write_file(dir / "q.jsonl", questions());
  ChatModel m;
  const std::vector<RowJson> rows = answered(m, dir / "q.jsonl", greedy(2));
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_THAT(keys(rows[0]),
              ElementsAre("id", "messages", "tag", "answer", "answer_tokens", "finish_reason"));
  EXPECT_EQ(rows[0]["id"], 7);
  EXPECT_EQ(rows[0]["messages"].size(), 2u);
  EXPECT_EQ(rows[0]["answer_tokens"], 9);
  EXPECT_EQ(rows[0]["finish_reason"], "length");
  Conversation shown;
  shown.messages = {make_message("user", "Hi")};
  const std::string expected =
      m.continued(m.chat.encode_prompt(shown, m.model.tokenizer), 9, greedy(1).sampling);
  const std::string as_json =
      RowJson(expected).dump(-1, ' ', false, RowJson::error_handler_t::replace);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_EQ(rows[i]["answer"].dump(), as_json) << i;
  EXPECT_NE(rows[0]["answer"], rows[1]["answer"]);
  EXPECT_EQ(answered(m, dir / "q.jsonl", greedy(1)), rows) << "in any company";
}

// Also of a tool, whose result the assistant speaks about.
TEST(ConversationAnswers, AreToTheLastMessageOfAnyOther) {
  const TempDir dir;
  write_file(dir / "q.jsonl",
             R"({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", )"
             R"("content": "", "tool_calls": [{"type": "function", "function": )"
             R"({"name": "f", "arguments": {}}}]}, {"role": "tool", "content": "It rains."}]})"
             "\n");
  ChatModel m;
  m.chat = ChatTemplate::from_source(
      "{% for m in messages %}{{ m.role + ':' + m.content }}{% endfor %}{{ 'assistant:' }}", "t",
      {});
  const std::vector<RowJson> rows = answered(m, dir / "q.jsonl", greedy(1));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0]["answer_tokens"], 9);
}

TEST(ConversationAnswers, QuestionsAreInAnyOfTheirKeys) {
  const TempDir dir;
  write_file(dir / "q.jsonl",
             R"({"conversation": [{"role": "user", "content": "Hi"}], "prompt": "no"})"
             "\n{\"question\": \"Hi\"}\n{\"prompt\": \"Hi\", \"question\": \"no\"}\n");
  ChatModel m;
  const std::vector<RowJson> rows = answered(m, dir / "q.jsonl", greedy(3));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0]["answer"], rows[1]["answer"]);
  EXPECT_EQ(rows[2]["answer"], rows[1]["answer"]);
}

// Each has random numbers of its own, by its place in the file.
TEST(ConversationAnswers, EqualRowsDrawDifferently) {
  const TempDir dir;
  write_file(dir / "q.jsonl", "{\"prompt\": \"Hi\"}\n{\"prompt\": \"Hi\"}\n");
  ChatModel m;
  AnswerOptions options = greedy(2);
  options.sampling.temperature = 1;
  const std::vector<RowJson> rows = answered(m, dir / "q.jsonl", options);
  EXPECT_NE(rows[0]["answer"], rows[1]["answer"]);
  options.batch = 1;
  EXPECT_EQ(answered(m, dir / "q.jsonl", options), rows);
}

TEST(ConversationAnswers, EndAtAStopString) {
  const TempDir dir;
  write_file(dir / "q.jsonl", "{\"prompt\": \"Hi\"}\n");
  ChatModel m;
  AnswerOptions options = greedy(1);
  const std::string whole = answered(m, dir / "q.jsonl", options)[0]["answer"];
  const auto ascii = std::ranges::find_if(whole, [](char c) { return c > ' '; });
  ASSERT_NE(ascii, whole.end());
  options.stop = {std::string(1, *ascii)};
  const RowJson row = answered(m, dir / "q.jsonl", options)[0];
  EXPECT_EQ(row["answer"], whole.substr(0, whole.find(*ascii)));
  EXPECT_EQ(row["finish_reason"], "stop");
  EXPECT_LE(row["answer_tokens"], 9);
}

TEST(ConversationAnswers, PutTheSystemPromptInPlaceOfAnyOther) {
  const TempDir dir;
  write_file(dir / "q.jsonl",
             "{\"messages\": [{\"role\": \"system\", \"content\": \"Be kind.\"}, "
             "{\"role\": \"user\", \"content\": \"Hi\"}]}\n{\"prompt\": \"Hi\"}\n");
  ChatModel m;
  AnswerOptions options = greedy(2);
  const std::vector<RowJson> own = answered(m, dir / "q.jsonl", options);
  EXPECT_NE(own[0]["answer"], own[1]["answer"]);
  options.system = "Be kind.";
  const std::vector<RowJson> replaced = answered(m, dir / "q.jsonl", options);
  EXPECT_EQ(replaced[0]["answer"], own[0]["answer"]);
  EXPECT_EQ(replaced[1]["answer"], own[0]["answer"]);
}

TEST(ConversationAnswers, NameTheRowThatCannotBeAnswered) {
  const TempDir dir;
  ChatModel m(64);
  const auto refusal = [&](const std::string& row) {
    write_file(dir / "q.jsonl", "{\"prompt\": \"Hi\"}\n" + row + "\n");
    std::ostringstream out;
    const std::string message = input_error_of(
        [&] { answer_conversations(dir / "q.jsonl", m.model, m.chat, greedy(2), m.context, out); });
    EXPECT_EQ(out.str(), "") << "before any answer";
    return message;
  };
  EXPECT_THAT(refusal("{\"text\": \"x\", \"id\": 1}"),
              HasSubstr("q.jsonl:2: has no question (its keys: text, id)"));
  EXPECT_THAT(refusal("{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, "
                      "{\"role\": \"assistant\", \"content\": \"b\"}]}"),
              HasSubstr("q.jsonl:2: ends with the assistant's message"));
  EXPECT_THAT(refusal("{\"messages\": []}"), HasSubstr("q.jsonl:2: the conversation has no"));
  EXPECT_THAT(refusal("{\"prompt\": \"" + std::string(70, 'x') + "\"}"),
              HasSubstr("q.jsonl:2: the prompt has "));
  write_file(dir / "q.jsonl", "\n");
  std::ostringstream out;
  EXPECT_THAT(input_error_of([&] {
                answer_conversations(dir / "q.jsonl", m.model, m.chat, greedy(2), m.context, out);
              }),
              HasSubstr("q.jsonl"));
}

}  // namespace
}  // namespace fathom

#include "align/chat_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "align/conversation_rows.h"
#include "core/error.h"
#include "io/temp_dir.h"
#include "small_tokenizer.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class ChatData : public testing::Test {
 protected:
  ~ChatData() override { fs::remove(path_); }
  void write(const std::string& text) { std::ofstream(path_, std::ios::trunc) << text; }
  // The conversations of a file with this text, with their learned parts in brackets.
  std::vector<std::string> read(const std::string& text) {
    write(text);
    ExampleSet set;
    statistics_ = read_examples({path_}, chat_, tokenizer_, options_, set);
    std::vector<std::string> rows;
    for (std::int64_t i = 0; i < set.size(); ++i) {
      const auto [tokens, learned] = set[i];
      rows.push_back(
          shown(tokenizer_, {tokens.begin(), tokens.end()}, {learned.begin(), learned.end()}));
    }
    return rows;
  }
  std::string problem(const std::string& text) {
    try {
      read(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input);
      const std::string what = error.what();
      EXPECT_THAT(what, testing::StartsWith(path_ + ":"));
      return what.substr(path_.size() + 1);
    }
    return "nothing was thrown";
  }

  std::string path_ = testing::TempDir() + "chat_data_test.jsonl";
  Tokenizer tokenizer_ = small_tokenizer();
  ChatTemplate chat_ = ChatTemplate::open("deepseek", "", tokenizer_);
  ChatDataOptions options_;
  ChatStatistics statistics_;
};

constexpr const char* good =
    R"({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]})"
    "\n";

TEST_F(ChatData, Messages) {
  EXPECT_THAT(
      read(std::string(good) + "\n" +
           R"({"messages": [{"role": "system", "content": "s", "name": null}, )"
           R"({"role": "user", "content": [{"type": "text", "text": "p"}, )"
           R"({"type": "text", "text": "q"}]}, {"role": "assistant", "content": "z"}]})"),
      ElementsAre("<s>User: x\n\nAssistant:[ y</s>]", "<s>s\n\nUser: pq\n\nAssistant:[ z</s>]"));
  EXPECT_EQ(statistics_.rows, 2);
  EXPECT_EQ(statistics_.examples, 2);
  EXPECT_EQ(statistics_.turns, 5);
  EXPECT_EQ(statistics_.answers, 2);
  EXPECT_EQ(statistics_.learned_tokens, 6);
  EXPECT_THAT(statistics_.lengths, ElementsAre(23, 27));
  EXPECT_EQ(statistics_.tokens, 50);
}

// Rows from columns have a null for each field of another message.
TEST_F(ChatData, FieldsThatAreNullAreAbsent) {
  chat_ = ChatTemplate::from_source(
      "{% for m in messages %}{{ m.keys() | list | join(' ') ~ ';' }}{% generation %}"
      "{{ m.content }}{% endgeneration %}{% endfor %}",
      "t", {});
  EXPECT_THAT(read(R"([{"messages": [{"role": "user", "content": "x", "name": null, "n": 1},
      {"role": "assistant", "content": "y", "tool_calls": null, "train": null}]}])"),
              ElementsAre("role content n;[x]role content;[y]"));
}

TEST_F(ChatData, SingleMessagesAreNotLearned) {
  const char* rows = R"([{"messages": [{"role": "user", "content": "a"},
    {"role": "assistant", "content": "b", "train": false}, {"role": "user", "content": "c"},
    {"role": "assistant", "content": "d", "weight": 1}, {"role": "user", "content": "e"},
    {"role": "assistant", "content": "f", "weight": 0}]}])";
  EXPECT_THAT(read(rows),
              ElementsAre("<s>User: a\n\nAssistant: b</s>User: c\n\nAssistant:[ d</s>]User: e\n\n"
                          "Assistant: f</s>"));
}

TEST_F(ChatData, ShareGpt) {
  chat_ = ChatTemplate::from_source(
      "{{ tools | tojson }}{% for m in messages %}{{ m.role + ':' }}{% generation %}"
      "{{ m.content }}{{ m.tool_calls | tojson if m.tool_calls }}{% endgeneration %}{% endfor %}",
      "t", {});
  EXPECT_THAT(
      read(R"([{"system": "s", "tools": "[{\"name\": \"f\"}]", "conversations": [
      {"from": "human", "value": "a"},
      {"from": "function_call", "value": "{\"name\": \"f\", \"arguments\": {\"x\": 1}}"},
      {"from": "observation", "value": "r"}, {"from": "gpt", "value": "b"}]}])"),
      ElementsAre(R"([{"name": "f"}]system:[s]user:[a]assistant:)"
                  R"([[{"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}]])"
                  R"(tool:[r]assistant:[b])"));
}

// Every spelling of a role and who then speaks.
TEST_F(ChatData, RolesHaveOtherNames) {
  using Names = std::vector<std::string>;
  for (const auto& [role, names] : std::vector<std::pair<std::string, Names>>{
           {"user", {"user", "human", "prompter"}},
           {"assistant", {"assistant", "gpt", "chatgpt", "model", "bot"}},
           {"tool", {"tool", "observation", "function_response", "function"}},
           {"system", {"system"}},
           {"narrator", {"narrator"}}}) {
    const auto role_of = [](const std::string& row) {
      return conversations_of(RowJson::parse(row)).at(0).messages.at(0).role;
    };
    for (const std::string& name : names) {
      const std::string said = "\"" + name + "\", ";
      EXPECT_EQ(role_of(R"({"conversations": [{"from": )" + said + R"("value": "x"}]})"), role);
      EXPECT_EQ(role_of(R"({"messages": [{"role": )" + said + R"("content": "x"}]})"), role);
    }
  }
}

// A row without tools, however it says so, is no row for a template of tools.
TEST_F(ChatData, RowsWithoutToolsHaveNone) {
  const std::string messages =
      R"([{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}])";
  for (const char* key : {"messages", "conversations", "conversation"}) {
    const auto tools_of = [&](const std::string& more) {
      const std::string row = "{\"" + std::string(key) + "\": " + messages + more + "}";
      return conversations_of(RowJson::parse(row)).at(0).tools;
    };
    EXPECT_TRUE(tools_of("").is_null());
    for (const char* tools : {"[]", "null", R"("")", R"("[]")"}) {
      EXPECT_TRUE(tools_of(R"(, "tools": )" + std::string(tools)).is_null()) << tools;
    }
    for (const char* tools : {R"([{"name": "f"}])", R"("[{\"name\": \"f\"}]")"}) {
      EXPECT_EQ(tools_of(R"(, "tools": )" + std::string(tools)).dump(), R"([{"name":"f"}])");
    }
  }
  const auto problem_of = [&](const char* tools) {
    return problem(R"({"messages": [{"role": "user", "content": "x"}], "tools": )" +
                   std::string(tools) + "}");
  };
  EXPECT_THAT(problem_of("{}"), HasSubstr("'tools' is neither a list nor the JSON text of one"));
  EXPECT_THAT(problem_of(R"("{}")"), HasSubstr("'tools' is neither a list nor"));
  EXPECT_THAT(problem_of("[3]"), HasSubstr("'tools' holds number, not an object"));
}

TEST_F(ChatData, AlpacaWithHistory) {
  EXPECT_THAT(read(R"({"instruction": "i", "input": "j", "output": "o", "system": "s",
                       "history": [["q", "a"]]}
                      {"instruction": "i", "input": "", "response": "o"})"),
              ElementsAre("<s>s\n\nUser: q\n\nAssistant:[ a</s>]User: i\nj\n\nAssistant:[ o</s>]",
                          "<s>User: i\n\nAssistant:[ o</s>]"));
}

// A line end stands between an instruction and its input, and nowhere else.
TEST_F(ChatData, AlpacaJoinsInstructionAndInput) {
  for (const auto& [row, question] : std::vector<std::pair<std::string, std::string>>{
           {R"("instruction": "i", "input": "j")", "i\nj"},
           {R"("instruction": "i", "input": "")", "i"},
           {R"("instruction": "i", "input": null)", "i"},
           {R"("instruction": "i")", "i"},
           {R"("instruction": "", "input": "j")", "j"}}) {
    EXPECT_THAT(read("{" + row + R"(, "output": "o"})"),
                ElementsAre("<s>User: " + question + "\n\nAssistant:[ o</s>]"))
        << row;
  }
}

TEST_F(ChatData, PromptAndCompletion) {
  EXPECT_THAT(read(R"([{"prompt": "p", "completion": "c"}, {"question": "q", "answer": "a"},
      {"prompt": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "v"},
                  {"role": "user", "content": "w"}],
       "completion": [{"role": "assistant", "content": "x"}]}])"),
              ElementsAre("<s>User: p\n\nAssistant:[ c</s>]", "<s>User: q\n\nAssistant:[ a</s>]",
                          "<s>User: u\n\nAssistant: v</s>User: w\n\nAssistant:[ x</s>]"));
}

// Each path of questions, the best answer to each; what several paths share is learned once.
TEST_F(ChatData, Trees) {
  EXPECT_THAT(
      read(R"({"message_tree_id": "t", "prompt": {"text": "q", "role": "prompter", "replies": [
      {"text": "worse", "role": "assistant", "rank": 1},
      {"text": "best", "role": "assistant", "rank": 0, "replies": [
        {"text": "r", "role": "prompter", "replies": [{"text": "s", "role": "assistant"}]},
        {"text": "open", "role": "prompter"},
        {"text": "t", "role": "prompter", "replies": [{"text": "u", "role": "assistant"}]}]},
      {"text": "gone", "role": "assistant", "rank": -1, "deleted": true}]}})"),
      ElementsAre("<s>User: q\n\nAssistant:[ best</s>]User: r\n\nAssistant:[ s</s>]",
                  "<s>User: q\n\nAssistant: best</s>User: t\n\nAssistant:[ u</s>]"));
}

// Replies without a rank come behind those with one; among themselves they keep their order.
TEST_F(ChatData, TreesTakeRankedRepliesFirst) {
  const auto answer = [&](const std::string& replies) {
    return read(R"({"message_tree_id": "t", "prompt": {"text": "q", "role": "prompter", )"
                R"("replies": [)" +
                replies + "]}}");
  };
  const std::string unranked = R"({"text": "x", "role": "assistant"})",
                    null = R"({"text": "n", "role": "assistant", "rank": null})",
                    zero = R"({"text": "0", "role": "assistant", "rank": 0})",
                    three = R"({"text": "3", "role": "assistant", "rank": 3})";
  const auto begins = [](const char* text) {
    return ElementsAre(std::string("<s>User: q\n\nAssistant:[ ") + text + "</s>]");
  };
  EXPECT_THAT(answer(unranked + ", " + zero), begins("0"));
  EXPECT_THAT(answer(unranked + ", " + three), begins("3"));
  EXPECT_THAT(answer(null + ", " + three + ", " + zero), begins("0"));
  EXPECT_THAT(answer(unranked + ", " + null), begins("x"));
  EXPECT_THAT(answer(null + ", " + unranked), begins("n"));
}

TEST_F(ChatData, BadRowsAreNamedByLine) {
  const auto second = [&](const std::string& row) { return problem(good + row); };
  EXPECT_THAT(second("{\"messages\": 3}"),
              testing::StartsWith("2: 'messages' is number, not a list; mend the row, or set "
                                  "data.bad_rows = \"leave_out\""));
  EXPECT_THAT(second("{\"messages\""), testing::StartsWith("2: not valid JSON: parse error"));
  EXPECT_THAT(second("[1]"), testing::StartsWith("2: is array, not a JSON object"));
  EXPECT_THAT(second(R"({"messages": [{"role": "narrator", "content": "x"}]})"),
              testing::StartsWith("2: message 1: unknown role 'narrator'"));
  EXPECT_THAT(second(R"({"messages": [{"content": "x"}]})"),
              testing::StartsWith("2: message 1: has no 'role'"));
  EXPECT_THAT(second(R"({"messages": [{"role": "user", "content": [{"type": "image"}]}]})"),
              testing::StartsWith("2: message 1: the content holds image, not only text"));
  EXPECT_THAT(second(R"({"messages": [{"role": "user", "content": "x"}]})"),
              testing::StartsWith("2: there is no assistant's message to learn"));
  EXPECT_THAT(
      second(R"({"system": "a", "messages": [{"role": "system", "content": "b"}, )"
             R"({"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]})"),
      testing::StartsWith("2: has both a 'system' and a system message"));
  EXPECT_THAT(second(R"({"prompt": "x", "completion": ""})"),
              testing::StartsWith("2: message 2: the content of the assistant is empty"));
  EXPECT_THAT(second(R"({"instruction": "x", "output": ["a", "b"]})"),
              testing::StartsWith("2: 'output' is a list of answers: a ranking"));
  EXPECT_THAT(second(R"({"prompt": "x", "completion": "y", "label": true})"),
              testing::StartsWith("2: 'label' marks the answer as good or bad (KTO)"));
  EXPECT_THAT(second(R"({"prompt": "x", "chosen": "y", "rejected": "z"})"),
              testing::StartsWith("2: holds a pair of answers"));
  EXPECT_THAT(second(R"({"prompt": "x", "answers": []})"),
              testing::StartsWith("2: 'answers' is a ranking: a row for `fathom dpo`"));
  EXPECT_THAT(second(R"({"prompt": 3, "completion": "y"})"),
              testing::StartsWith("2: 'prompt': is number, neither a text nor messages"));
  EXPECT_THAT(second(R"({"prompt": "x", "completion": true})"),
              testing::StartsWith("2: 'completion': is boolean, neither a text nor messages"));
  const auto answer = [&](const std::string& key) {
    return second(R"({"messages": [{"role": "user", "content": "x"}, )"
                  R"({"role": "assistant", "content": "y", )" +
                  key + "}]}");
  };
  EXPECT_THAT(answer(R"("weight": 2)"), testing::StartsWith("2: message 2: 'weight' is 2; an "));
  EXPECT_THAT(answer(R"("weight": "1")"), HasSubstr("'weight' is \"1\"; an answer is learned (1)"));
  EXPECT_THAT(answer(R"("train": 1)"),
              testing::StartsWith("2: message 2: 'train' is number, not true or false"));
  EXPECT_THAT(second(R"({"text": "x", "id": 3})"),
              testing::StartsWith("2: in no known format (its keys: text, id); wants messages"));
}

TEST_F(ChatData, BadTreesAreNamed) {
  const auto refused = [&](const std::string& prompt) {
    return problem(R"({"message_tree_id": "t", "prompt": )" + prompt + "}");
  };
  const auto replied = [&](const std::string& reply) {
    return refused(R"({"text": "q", "role": "prompter", "replies": [)" + reply + "]}");
  };
  EXPECT_THAT(refused(R"("q")"),
              testing::StartsWith("1: 'prompt' is not the tree's first message"));
  EXPECT_THAT(refused(R"({"text": "q", "role": "assistant"})"),
              testing::StartsWith("1: a reply's role is 'assistant' where the user speaks"));
  EXPECT_THAT(replied(""), testing::StartsWith("1: the tree has no answers"));
  EXPECT_THAT(replied(R"({"text": "a", "role": "assistant", "deleted": true})"),
              testing::StartsWith("1: the tree has no answers"));
  EXPECT_THAT(replied("3"), testing::StartsWith("1: 'replies' holds number, not a message"));
  EXPECT_THAT(replied(R"({"text": "a", "role": "prompter"})"),
              testing::StartsWith("1: a reply's role is 'prompter' where the assistant speaks"));
}

TEST_F(ChatData, BadAndLongRowsAreLeftOutAndCounted) {
  options_.bad_rows = options_.too_long = RowPolicy::leave_out;
  options_.context = 23;
  EXPECT_EQ(read(std::string("{}\n") + good +
                 R"({"prompt": "p", "completion": "much longer"})"
                 "\nx\n")
                .size(),
            1);
  EXPECT_EQ(statistics_.rows, 4);
  EXPECT_EQ(statistics_.bad.rows, 2);
  EXPECT_THAT(statistics_.bad.first, HasSubstr(":1: in no known format (its keys: none)"));
  EXPECT_EQ(statistics_.too_long.rows, 1);
  EXPECT_THAT(statistics_.too_long.first, HasSubstr(":3: 33 tokens, more than the context of 23"));
  EXPECT_THAT(statistics_.lengths, ElementsAre(23, 33));
  options_.too_long = RowPolicy::refuse;
  options_.context = 22;
  EXPECT_EQ(problem(good),
            "1: 23 tokens, more than the context of 22; shorten it, or set data.too_long = "
            "\"leave_out\"");
}

TEST_F(ChatData, ExamsCanBeLeftOut) {
  const char* rows = R"([
    {"prompt": "Which?\nA. one\nB. two\nC. three", "completion": "B"},
    {"prompt": "Which?\n(A) one\n(B) two\n(C) three", "completion": "The answer is (C) three"},
    {"prompt": "哪个？\nA、一\nB、二\nC、三", "completion": "答案：A"},
    {"prompt": "Which?\nA. one\nB. two\nC. three", "completion": "Bread is first, as it rises."},
    {"prompt": "List:\nA. one\nB. two", "completion": "A"}])";
  EXPECT_EQ(read(rows).size(), 5);
  options_.multiple_choice = Exams::leave_out;
  EXPECT_EQ(read(rows).size(), 2);
  EXPECT_EQ(statistics_.multiple_choice.rows, 3);
}

TEST_F(ChatData, LanguagesAreCountedWhenAskedFor) {
  options_.detect_languages = true;
  read(R"([{"prompt": "请把这句话翻译成英文。", "completion": "Please translate."},
           {"prompt": "What is the capital of France?", "completion": "It is Paris."},
           {"prompt": "Which ships left?", "completion": "All of those in the harbour."}])");
  EXPECT_THAT(statistics_.languages, ElementsAre(testing::Pair("en", 2), testing::Pair("zh", 1)));
}

TEST_F(ChatData, StatisticsOfScriptsAndLengths) {
  read(R"([{"prompt": "你好吗", "completion": "很好 yes"}, {"prompt": "Hi", "completion": "Hello"},
           {"prompt": "こんにちは世界", "completion": "はい"}])");
  EXPECT_THAT(statistics_.scripts, ElementsAre(testing::Pair("Han", 1), testing::Pair("Kana", 1),
                                               testing::Pair("Latin", 1)));
  EXPECT_THAT(statistics_.languages, testing::IsEmpty());
  statistics_.lengths = {5, 1, 4, 2, 3};
  EXPECT_EQ(statistics_.length_at(0), 1);
  EXPECT_EQ(statistics_.length_at(0.5), 3);
  EXPECT_EQ(statistics_.length_at(1), 5);
}

TEST(MultipleChoice, AnAnswerPicksOneOfTheOptions) {
  const auto picks = [](const std::string& question, const std::string& answer) {
    Conversation conversation;
    conversation.messages = {make_message("user", question), make_message("assistant", answer)};
    return is_multiple_choice(conversation);
  };
  const std::string three = "Which?\nA. one\nB. two\nC. three";
  for (const char* answer :
       {"A", "B", "C", "C.", "C. three", "(A)", "(C) three", "B\n", "A,", "The answer is B",
        "The answer is (B).", "Answer: C", "答案：A", "答案是C", "答案：(B)"}) {
    EXPECT_TRUE(picks(three, answer)) << answer;
  }
  for (const char* answer : {"", "D", "(D)", "@", "a", "1", "Bread", "C3", "(", "The answer is D",
                             "The answer is ", "Answer: none", "No", " A", "答案：D"}) {
    EXPECT_FALSE(picks(three, answer)) << answer;
  }
  EXPECT_TRUE(picks(three + "\nD. four", "D"));
  EXPECT_FALSE(picks("Which?\nA. one\nB. two", "A")) << "two are no exam";
  EXPECT_FALSE(picks("Which?\nA. one\nC. two\nB. three", "A")) << "in order";
  EXPECT_FALSE(picks("Which?\nB. one\nC. two\nD. three", "B")) << "from A";
  EXPECT_TRUE(picks("A. one\nmore of it\nB. two\n\nC. three\nWhich?", "C"));
}

// The last question and the last answer count.
TEST(MultipleChoice, IsOfTheLastQuestion) {
  const std::string exam = "Which?\nA. one\nB. two\nC. three";
  Conversation conversation;
  EXPECT_FALSE(is_multiple_choice(conversation));
  conversation.messages = {make_message("user", exam)};
  EXPECT_FALSE(is_multiple_choice(conversation));
  conversation.messages.push_back(make_message("assistant", "B"));
  EXPECT_TRUE(is_multiple_choice(conversation));
  conversation.messages.push_back(make_message("user", "Why?"));
  conversation.messages.push_back(make_message("assistant", "A"));
  EXPECT_FALSE(is_multiple_choice(conversation));
  conversation.messages = {make_message("user", "Hello"), make_message("assistant", "x"),
                           make_message("user", exam), make_message("assistant", "C")};
  EXPECT_TRUE(is_multiple_choice(conversation));
}

TEST(ChatStatistics, HasALineForEachKindOfRowLeftOut) {
  ChatStatistics statistics;
  EXPECT_TRUE(lines_about(statistics).empty());
  statistics.too_long.add("b:2: long");
  EXPECT_THAT(lines_about(statistics),
              ElementsAre("1 rows beyond the context left out (the first: b:2: long)"));
  statistics.bad.add("a:1: bad");
  statistics.bad.add("a:9: worse");
  statistics.multiple_choice.add("c:3: exam");
  statistics.unended = 4;
  EXPECT_THAT(lines_about(statistics),
              ElementsAre("2 bad rows left out (the first: a:1: bad)",
                          "1 rows beyond the context left out (the first: b:2: long)",
                          "1 multiple-choice questions left out (the first: c:3: exam)",
                          "4 conversations have answers without a special token at their end: the "
                          "model does not learn from them to stop"));
}

TEST(ChatStatistics, LengthsAreRankedByTheirShare) {
  ChatStatistics statistics;
  EXPECT_EQ(statistics.length_at(0.5), 0);
  statistics.lengths = {7};
  for (const double share : {0.0, 0.5, 1.0}) EXPECT_EQ(statistics.length_at(share), 7);
  statistics.lengths = {40, 10, 30, 20};
  EXPECT_EQ(statistics.length_at(0.33), 10);
  EXPECT_EQ(statistics.length_at(0.34), 20);
  EXPECT_EQ(statistics.length_at(0.99), 30);
  EXPECT_THAT(statistics.lengths, ElementsAre(40, 10, 30, 20)) << "the order of the rows stays";
}

TEST_F(ChatData, AllPairsOfKeysAreRead) {
  const std::string expected = "<s>User: p\n\nAssistant:[ c</s>]";
  for (const auto& [prompt, answer] : {std::pair("prompt", "completion"),
                                       {"prompt", "response"},
                                       {"question", "answer"},
                                       {"problem", "solution"},
                                       {"instruction", "output"},
                                       {"instruction", "response"}}) {
    EXPECT_THAT(read(fmt::format(R"({{"{}": "p", "{}": "c"}})", prompt, answer)),
                ElementsAre(expected))
        << prompt << " " << answer;
  }
  EXPECT_THAT(problem(R"({"prompt": "p", "answer": "c"})"), HasSubstr("in no known format"));
  EXPECT_THAT(read(R"({"prompt": "p", "completion": "c", "system": "s"})"),
              ElementsAre("<s>s\n\nUser: p\n\nAssistant:[ c</s>]"));
  EXPECT_THAT(read(R"({"prompt": "\n\nHuman: a\n\nAssistant: b\n\nHuman: p\n\nAssistant:",
                       "completion": "c"})"),
              ElementsAre("<s>User: a\n\nAssistant: b</s>User: p\n\nAssistant:[ c</s>]"));
}

TEST_F(ChatData, ConversationsWithoutAnEndAreCounted) {
  chat_ = ChatTemplate::from_source(
      "{% for m in messages %}{{ m.content }}{% if m.content == 'x' %}{{ eos_token }}{% endif %}"
      "{% endfor %}",
      "t", {{"eos_token", "</s>"}});
  read(R"([{"prompt": "p", "completion": "x"}, {"prompt": "p", "completion": "y"},
           {"prompt": "p", "completion": "z"}])");
  EXPECT_EQ(statistics_.unended, 2);
}

TEST_F(ChatData, RowsAreCountedBeyondOneBatch) {
  const auto rows = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += "{\"prompt\": \"p\", \"completion\": \"c\"}\n";
    return text;
  };
  EXPECT_EQ(read(rows(1025)).size(), 1025u);
  EXPECT_EQ(statistics_.rows, 1025);
  EXPECT_EQ(statistics_.tokens, 1025 * statistics_.length_at(0));
  options_.bad_rows = RowPolicy::leave_out;
  EXPECT_EQ(read(rows(600) + "x\ny\n").size(), 600u);
  EXPECT_THAT(statistics_.bad.first, HasSubstr(":601: "));
  EXPECT_EQ(statistics_.bad.rows, 2);
}

// The first message of a row in any format.
Message first_of(const std::string& row) {
  return conversations_of(RowJson::parse(row)).at(0).messages.at(0);
}

std::string format_error(const std::string& row) {
  return test::input_error_of([&] { conversations_of(RowJson::parse(row)); });
}

TEST(ChatFormats, PartsOfTextAreJoined) {
  const auto content = [](const std::string& parts) {
    return std::string(
        first_of(R"({"messages": [{"role": "user", "content": )" + parts + "}]}").content());
  };
  EXPECT_EQ(
      content(R"([{"type": "text", "text": "a"}, {"text": "b"}, {"type": null, "text": "c"}])"),
      "abc");
  EXPECT_EQ(content("[]"), "");
  const auto error = [](const std::string& parts) {
    return format_error(R"({"messages": [{"role": "user", "content": )" + parts + "}]}");
  };
  for (const auto& [parts, what] :
       {std::pair(R"([{"type": "image_url"}])", "image_url"),
        {R"(["a"])", "string"},
        {"[3]", "number"},
        {R"([{"type": "text", "text": "a"}, {"type": "audio"}])", "audio"}}) {
    EXPECT_EQ(error(parts), "message 1: the content holds " + std::string(what) +
                                ", not only text; a language model reads nothing else");
  }
  EXPECT_EQ(error(R"([{"type": "text"}])"), "message 1: has no 'text'");
}

TEST(ChatFormats, AnswersAreLearnedUnlessTheySayOtherwise) {
  for (const auto& [field, learned] : {std::pair(R"("train": true)", true),
                                       {R"("train": false)", false},
                                       {R"("train": null)", true},
                                       {R"("weight": 1)", true},
                                       {R"("weight": 0)", false},
                                       {R"("weight": 1.0)", true},
                                       {R"("weight": 0.0)", false},
                                       {R"("weight": null)", true},
                                       {R"("train": null, "weight": 0)", false},
                                       {R"("train": true, "weight": 0)", true}}) {
    for (const char* message :
         {R"("role": "assistant", "content": "x", )", R"("from": "gpt", "value": "x", )"}) {
      const Message read = first_of("{\"messages\": [{" + std::string(message) + field + "}]}");
      EXPECT_EQ(read.learned, learned) << message << field;
      EXPECT_EQ(read.content(), "x");
      EXPECT_EQ(read.fields.size(), 1u) << "no field of the message";
    }
  }
}

TEST(ChatFormats, CallsOfShareGptAreJsonText) {
  const auto row = [](const std::string& value) {
    return RowJson({{"conversations", {{{"from", "function_call"}, {"value", value}}}}}).dump();
  };
  const auto calls = [&](const std::string& value) {
    const Message message = first_of(row(value));
    EXPECT_EQ(message.role, "assistant");
    EXPECT_EQ(message.content(), "");
    return message.fields["tool_calls"].dump();
  };
  const std::string f = R"({"type":"function","function":{"name":"f","arguments":{}}})";
  EXPECT_EQ(calls(R"({"name": "f", "arguments": {}})"), "[" + f + "]");
  EXPECT_EQ(calls(R"([{"name": "f", "arguments": {}}, {"name": "f", "arguments": {}}])"),
            "[" + f + "," + f + "]");
  for (const char* value : {"", "x", "3", "[]", "\"f\"", "{"}) {
    EXPECT_EQ(format_error(row(value)),
              "message 1: the value of function_call is no JSON object with a name and arguments");
  }
  EXPECT_EQ(format_error(row("[3]")), "message 1: function_call holds number, not an object");
  EXPECT_EQ(format_error(row("{}")), "message 1: has no 'name'");
  EXPECT_EQ(format_error(row(R"({"name": 3})")), "message 1: 'name' is number, not a text");
}

TEST(ChatFormats, ErrorsNameTheFieldAndTheMessage) {
  for (const auto& [row, message] : std::vector<std::pair<std::string, std::string>>{
           {R"({"messages": [3]})", "message 1: is number, not an object with a role"},
           {R"({"messages": [{"role": "user"}, []]})",
            "message 2: is array, not an object with a role"},
           {R"({"messages": [{"role": 3}]})", "message 1: 'role' is number, not a text"},
           {R"({"conversations": [{"from": "human"}]})", "message 1: has no 'value'"},
           {R"({"conversations": [{"from": 1, "value": "x"}]})",
            "message 1: 'from' is number, not a text"},
           {R"({"conversation": {}})", "'conversation' is object, not a list"},
           {R"({"instruction": 3, "output": "x"})", "'instruction' is number, not a text"},
           {R"({"instruction": "x"})", "has no 'response'"},
           {R"({"instruction": "x", "output": "y", "input": []})", "'input' is array, not a text"},
           {R"({"instruction": "x", "response": ["y"]})",
            "'response' is a list of answers: a ranking for `fathom dpo`, not an answer to learn"},
           {R"({"messages": [], "system": 3})", "'system' is number, not a text"},
           {R"({"prompt": [3], "completion": "x"})",
            "'prompt': message 1: is number, not an object with a role"},
           {R"({"prompt": "x", "completion": {"role": "user"}, "kto_tag": false})",
            "'kto_tag' marks the answer as good or bad (KTO); Fathom learns answers or pairs of "
            "them: keep the rows marked true, without 'kto_tag', or pair good and bad answers to "
            "a prompt as 'chosen' and 'rejected' for `fathom dpo`"}}) {
    EXPECT_EQ(format_error(row), message) << row;
  }
  for (const char* turn : {"3", "[]", R"(["a"])", R"(["a", "b", "c"])", R"(["a", 3])",
                           R"([null, "b"])", R"({"a": "b"})"}) {
    EXPECT_EQ(format_error(R"({"instruction": "x", "output": "y", "history": [)" +
                           std::string(turn) + "]}"),
              "'history' wants pairs of a question and an answer")
        << turn;
  }
  // Only a boolean marks an answer.
  EXPECT_EQ(format_error(R"({"prompt": "x", "completion": "y", "label": "news"})"), "no error");
  EXPECT_EQ(format_error(R"({"prompt": "x", "completion": "y", "label": 1})"), "no error");
}

TEST(ChatFormats, MarkedDialoguesAreCutAtTheirMarks) {
  const auto messages = [](const std::string& prompt) {
    const RowJson row = {{"prompt", prompt}, {"completion", "z"}};
    std::string text;
    const Conversation conversation = conversations_of(row).at(0);
    for (const Message& message : conversation.messages) {
      text += message.role.substr(0, 1) + ":" + std::string(message.content()) + "|";
    }
    return text;
  };
  EXPECT_EQ(messages("\n\nHuman: a\n\nAssistant:"), "u:a|a:z|");
  EXPECT_EQ(messages("\n\nHuman: a\n\nAssistant: "), "u:a|a:z|");
  EXPECT_EQ(messages("\n\nHuman: a"), "u:a|a:z|");
  EXPECT_EQ(messages("\n\nHuman:a\n\nAssistant:b\n\nHuman:  c"), "u:a|a:b|u: c|a:z|");
  EXPECT_EQ(messages("\n\nHuman: a\n\nb\n\nAssistant: "), "u:a\n\nb|a:z|");
  EXPECT_EQ(messages("Human: a"), "u:Human: a|a:z|");
  EXPECT_EQ(messages("\n\nAssistant: a"), "u:\n\nAssistant: a|a:z|");
}

TEST(ChatFormats, RowsAreNestedUpToABound) {
  const auto nested = [](int depth) {
    JsonRecord record;
    record.json = "{\"a\":" + std::string(std::size_t(depth), '[') +
                  std::string(std::size_t(depth), ']') + "}";
    return test::input_error_of([&] { parse_row(record); });
  };
  EXPECT_EQ(nested(63), "no error");
  EXPECT_EQ(nested(65), "nested more than 64 deep");
}

TEST_F(ChatData, FilesWithoutRowsAreRefused) {
  for (const char* text : {"", "\n\n", "[]"}) {
    write(text);
    EXPECT_EQ(test::input_error_of([&] { read(text); }), path_ + ": there are no rows") << text;
  }
}

TEST_F(ChatData, DeletedRepliesAreNoReplies) {
  const auto answers = [&](const std::string& replies) {
    return read(R"({"message_tree_id": "t", "prompt": {"text": "q", "role": "prompter", )"
                R"("replies": [)" +
                replies + "]}}");
  };
  const std::string a = R"("text": "a", "role": "assistant", "rank": 0)",
                    b = R"({"text": "b", "role": "assistant", "rank": 1})";
  const auto said = [](const char* text) {
    return ElementsAre(std::string("<s>User: q\n\nAssistant:[ ") + text + "</s>]");
  };
  EXPECT_THAT(answers("{" + a + R"(, "deleted": true}, )" + b), said("b"));
  EXPECT_THAT(answers("{" + a + R"(, "deleted": false}, )" + b), said("a"));
  EXPECT_THAT(answers("{" + a + R"(, "deleted": null, "replies": null}, )" + b), said("a"));
}

}  // namespace
}  // namespace fathom

// Files of prompts, answers and scores: what is read from them, and what is refused by its line.
#include "align/answer_files.h"

#include <gmock/gmock.h>

#include "align/row.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::input_error_of;
using test::TempDir;
using test::write_file;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

SampledPrompt sampled_of(std::vector<AnswerSample> answers) {
  return {{make_message("system", "S"), make_message("user", "Q")}, std::move(answers)};
}

// The messages as "role:content", by a blank apart.
std::string shown_messages(const std::vector<Message>& messages) {
  std::string text;
  for (const Message& message : messages) {
    text += (text.empty() ? "" : " ") + message.role + ":" + std::string(message.content());
  }
  return text;
}

TEST(AnswerFiles, PromptsAreOfEveryKindOfRow) {
  const TempDir dir;
  write_file(
      dir / "a.jsonl",
      R"({"prompt": "a"})"
      "\n"
      R"({"messages": [{"role": "user", "content": "b"}]})"
      "\n"
      R"({"conversations": [{"from": "human", "value": "c"}, {"from": "gpt", "value": "x"}]})"
      "\n"
      R"({"instruction": "d", "output": "x"})"
      "\n");
  write_file(
      dir / "b.jsonl",
      R"({"conversation": [{"role": "user", "content": "e"}], "prompt": "wins"})"
      "\n"
      R"({"prompt": [{"role": "user", "content": "f"}, {"role": "assistant", "content": "g"}, )"
      R"({"role": "user", "content": "h"}, {"role": "assistant", "content": "x"}]})"
      "\n");
  std::vector<std::string> prompts;
  for (const Conversation& prompt : read_prompts({dir / "a.jsonl", dir / "b.jsonl"})) {
    prompts.push_back(shown_messages(prompt.messages));
  }
  EXPECT_THAT(prompts, ElementsAre("user:a", "user:b", "user:c", "user:d", "user:wins",
                                   "user:f assistant:g user:h"));
}

TEST(AnswerFiles, PromptsThatAskNothingAreRefused) {
  const TempDir dir;
  const auto refusal = [&](const std::string& text) {
    write_file(dir / "p.jsonl", text);
    return input_error_of([&] { read_prompts({dir / "p.jsonl"}); });
  };
  EXPECT_EQ(refusal("\n"), (dir / "p.jsonl") + ": no prompt is in it");
  EXPECT_THAT(refusal("{\"prompt\": \"a\"}\n"
                      R"({"messages": [{"role": "assistant", "content": "x"}]})"),
              HasSubstr("p.jsonl:2: the conversation has no messages"));
  EXPECT_THAT(refusal(R"({"prompt": " "})"), HasSubstr("p.jsonl:1: message 1: the content"));
  EXPECT_THAT(refusal(R"({"text": "x"})"), HasSubstr("p.jsonl:1: in no known format"));
}

TEST(AnswerFiles, AnswersReadBackAsTheyWereWritten) {
  const TempDir dir;
  SampledPrompt first = sampled_of({{"a \"b\"\n中", 7, true, false}, {"", 0, false, true}});
  first.prompt[1].fields["name"] = "N";
  const SampledPrompt second = sampled_of({});
  write_file(dir / "a.jsonl", answers_line(first) + "\n" + answers_line(second) + "\n");
  const std::vector<SampledPrompt> read = read_answers(dir / "a.jsonl");
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(shown_messages(read[0].prompt), "system:S user:Q");
  EXPECT_EQ(read[0].prompt[1].fields, first.prompt[1].fields);
  ASSERT_EQ(read[0].answers.size(), 2u);
  const AnswerSample &one = read[0].answers[0], &two = read[0].answers[1];
  EXPECT_EQ(one.text, first.answers[0].text);
  EXPECT_EQ(one.tokens, 7);
  EXPECT_TRUE(one.ended);
  EXPECT_FALSE(one.repeats);
  EXPECT_EQ(two.text, "");
  EXPECT_EQ(two.tokens, 0);
  EXPECT_FALSE(two.ended);
  EXPECT_TRUE(two.repeats);
  EXPECT_TRUE(read[1].answers.empty());
  EXPECT_EQ(answers_line(read[0]), answers_line(first));
}

TEST(AnswerFiles, TextThatEndsInsideACharacterIsRepaired) {
  EXPECT_THAT(answers_line(sampled_of({{"a\xe4", 1, true, false}})),
              HasSubstr("\"a\xef\xbf\xbd\""));
}

TEST(AnswerFiles, AnswersAreRefusedByTheirLine) {
  const TempDir dir;
  const auto refusal = [&](const std::string& answers) {
    write_file(dir / "a.jsonl",
               answers_line(sampled_of({})) + "\n{\"prompt\": \"Q\"" + answers + "}\n");
    return input_error_of([&] { read_answers(dir / "a.jsonl"); });
  };
  const auto answer = [](const std::string& text, const std::string& tokens,
                         const std::string& ended, const std::string& repeats) {
    return fmt::format(
        R"(, "answers": [{{"answer": {}, "tokens": {}, "ended": {}, "repeats": {}}}])", text,
        tokens, ended, repeats);
  };
  EXPECT_EQ(refusal(answer("\"x\"", "1", "true", "false")), "no error");
  EXPECT_THAT(refusal(""), EndsWith("a.jsonl:2: has no 'answers'"));
  EXPECT_THAT(refusal(R"(, "answers": [1])"),
              EndsWith("a.jsonl:2: 'answers' holds number, not an object"));
  EXPECT_THAT(refusal(R"(, "answers": [{"tokens": 1}])"), EndsWith("a.jsonl:2: has no 'answer'"));
  EXPECT_THAT(refusal(answer("1", "1", "true", "false")),
              EndsWith("'answer' is number, not a text"));
  for (const char* tokens : {"1.5", "\"1\"", "null"}) {
    EXPECT_THAT(refusal(answer("\"x\"", tokens, "true", "false")),
                EndsWith("a.jsonl:2: 'answers' wants 'tokens' as a whole number"));
  }
  EXPECT_THAT(refusal(R"(, "answers": [{"answer": "x"}])"),
              EndsWith("'answers' wants 'tokens' as a whole number"));
  EXPECT_THAT(refusal(R"(, "answers": [{"answer": "x", "tokens": 1}])"),
              EndsWith("a.jsonl:2: 'answers' wants 'ended' as a boolean"));
  EXPECT_THAT(refusal(answer("\"x\"", "1", "1", "false")),
              EndsWith("'answers' wants 'ended' as a boolean"));
  EXPECT_THAT(refusal(answer("\"x\"", "1", "true", "\"no\"")),
              EndsWith("'answers' wants 'repeats' as a boolean"));
}

class Scores : public testing::Test {
 protected:
  std::vector<std::vector<double>> parse(const std::string& text) {
    return parse_scores(text, "scorer", answers_);
  }
  std::string refusal(const std::string& text) {
    return input_error_of([&] { parse(text); });
  }
  const std::vector<SampledPrompt> answers_{sampled_of({{"a"}, {"b"}}), sampled_of({{"c"}})};
};

TEST_F(Scores, AreALineForEachPrompt) {
  EXPECT_THAT(parse("[0.5, -2]\n[3]\n"), ElementsAre(ElementsAre(0.5, -2), ElementsAre(3)));
  EXPECT_THAT(parse("[1,2]\n[3]"), ElementsAre(ElementsAre(1, 2), ElementsAre(3)));
  EXPECT_TRUE(parse_scores("", "scorer", {}).empty());
}

TEST_F(Scores, AreOneForEachAnswer) {
  EXPECT_EQ(refusal("[1, 2, 3]\n[3]\n"), "scorer:1: 3 scores, where there are 2 answers");
  EXPECT_EQ(refusal("[1]\n[3]\n"), "scorer:1: 1 scores, where there are 2 answers");
  EXPECT_EQ(refusal("[1, 2]\n[]\n"), "scorer:2: 0 scores, where there are 1 answers");
  EXPECT_EQ(refusal("[1, 2]\n[3]\n[4]\n"), "scorer:3: 1 scores, where there are 0 answers");
  EXPECT_EQ(refusal("[1, 2]\n"), "scorer: scores for 1 prompts, and there are 2");
  EXPECT_EQ(refusal(""), "scorer: scores for 0 prompts, and there are 2");
}

TEST_F(Scores, AreNumbers) {
  for (const char* line : {"", "1", "{}", "[1, \"2\"]", "[1, null]", "[1, 2", "[1, NaN]"}) {
    EXPECT_EQ(refusal(line + std::string("\n[3]\n")),
              "scorer:1: not an array of numbers such as [0.5, 2]")
        << line;
  }
  EXPECT_EQ(refusal("[1, 2]\n\n[3]\n"), "scorer:2: not an array of numbers such as [0.5, 2]");
}

TEST(AnswerFiles, APairIsOfTheBestAndTheWorst) {
  const SampledPrompt prompt = sampled_of({{"good"}, {"best"}, {"bad"}});
  const RowJson row = RowJson::parse(pair_line(prompt, {1, 2.5, -3}));
  EXPECT_EQ(row.dump(),
            R"({"prompt":[{"role":"system","content":"S"},{"role":"user","content":"Q"}],)"
            R"("chosen":"best","rejected":"bad","chosen_score":2.5,"rejected_score":-3.0})");
  EXPECT_EQ(pair_line(prompt, {1, 1, 1}), "");
}

}  // namespace
}  // namespace fathom

#include "align/preference_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "small_tokenizer.h"

namespace fathom {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

class PreferenceData : public testing::Test {
 protected:
  ~PreferenceData() override { std::filesystem::remove(path_); }
  // Each pair as "prompt|chosen|rejected".
  std::vector<std::string> read(const std::string& text) {
    std::ofstream(path_, std::ios::trunc) << text;
    PreferenceSet set;
    statistics_ = read_preferences({path_}, chat_, tokenizer_, options_, rankings_, set);
    std::vector<std::string> pairs;
    for (std::int64_t i = 0; i < set.size(); ++i) {
      const auto text_of = [&](std::span<const std::int32_t> part) {
        return shown(tokenizer_, {part.begin(), part.end()});
      };
      pairs.push_back(text_of(set[i].prompt) + "|" + text_of(set[i].chosen) + "|" +
                      text_of(set[i].rejected));
    }
    return pairs;
  }
  std::string problem(const std::string& text) {
    try {
      read(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input);
      return std::string(error.what()).substr(path_.size());
    }
    return "nothing was thrown";
  }

  std::string path_ = testing::TempDir() + "preference_data_test.json";
  Tokenizer tokenizer_ = small_tokenizer();
  ChatTemplate chat_ = ChatTemplate::open("deepseek", "", tokenizer_);
  ChatDataOptions options_;
  RankingPairs rankings_ = RankingPairs::best_and_worst;
  ChatStatistics statistics_;
};

TEST_F(PreferenceData, PromptsAndAnswersAsTextsOrMessages) {
  const char* pair = "<s>User: p\n\nAssistant:| x</s>| y</s>";
  EXPECT_THAT(read(R"([{"prompt": "p", "chosen": "x", "rejected": "y"},
        {"prompt": [{"role": "user", "content": "p"}], "chosen": {"role": "assistant", "content": "x"},
         "rejected": [{"role": "assistant", "content": "y"}]},
        {"conversations": [{"from": "human", "value": "p"}], "chosen": {"from": "gpt", "value": "x"},
         "rejected": {"from": "gpt", "value": "y"}},
        {"instruction": "p", "input": "", "chosen": "x", "rejected": "y"},
        {"prompt": "ignored", "chosen": [{"role": "user", "content": "p"},
         {"role": "assistant", "content": "x"}], "rejected": [{"role": "user", "content": "p"},
         {"role": "assistant", "content": "y"}]},
        {"chosen": "\n\nHuman: p\n\nAssistant: x", "rejected": "\n\nHuman: p\n\nAssistant: y"},
        {"prompt": "\n\nHuman: p\n\nAssistant: ", "chosen": "x", "rejected": "y"}])"),
              testing::AllOf(testing::SizeIs(7), testing::Each(pair)));
  EXPECT_EQ(statistics_.examples, 7);
  EXPECT_EQ(statistics_.answers, 14);
  EXPECT_EQ(statistics_.learned_tokens, 7 * 6);
  EXPECT_THAT(read(R"({"system": "s", "question": "p", "chosen": "x", "rejected": "y"})"),
              ElementsAre("<s>s\n\nUser: p\n\nAssistant:| x</s>| y</s>"));
}

// Answers of the prompt belong to the prompt; equal beginnings of the two answers to both.
TEST_F(PreferenceData, ThePromptEndsWhereTheAnswersBegin) {
  EXPECT_THAT(read(R"({"messages": [{"role": "user", "content": "a"},
      {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}],
      "chosen": "same, x", "rejected": "same, y"})"),
              ElementsAre("<s>User: a\n\nAssistant: b</s>User: c\n\nAssistant:| same, x</s>| same, "
                          "y</s>"));
}

TEST_F(PreferenceData, TextsWithoutAPromptSplitWhereTheirTokensDiffer) {
  const char* row = R"({"chosen": "It is warm", "rejected": "It is cold"})";
  EXPECT_THAT(problem(row), StartsWith(":1: the answers have no prompt: add it as 'prompt', or "
                                       "use the chat template plain"));
  chat_ = ChatTemplate::open("plain", "", tokenizer_);
  EXPECT_THAT(read(row), ElementsAre("<s>It is |warm</s>|cold</s>"));
  EXPECT_THAT(problem(R"({"chosen": "x", "rejected": "y"})"),
              StartsWith(":1: chosen and rejected share no prompt"));
}

TEST_F(PreferenceData, RankingsGiveTheBestAndTheWorstOrAll) {
  const char* rows = R"([{"prompt": "p", "answers": [{"answer": "b", "rank": 2},
      {"answer": "a", "rank": 1}, {"answer": "c", "rank": 3}, {"answer": "d", "rank": 3}]},
    {"instruction": "q", "input": "", "output": ["x", "y"]}])";
  const auto pair = [](char prompt, char chosen, char rejected) {
    return fmt::format("<s>User: {}\n\nAssistant:| {}</s>| {}</s>", prompt, chosen, rejected);
  };
  EXPECT_THAT(read(rows), ElementsAre(pair('p', 'a', 'd'), pair('q', 'x', 'y')));
  rankings_ = RankingPairs::all;
  EXPECT_THAT(read(rows),
              ElementsAre(pair('p', 'a', 'b'), pair('p', 'a', 'c'), pair('p', 'a', 'd'),
                          pair('p', 'b', 'c'), pair('p', 'b', 'd'), pair('q', 'x', 'y')));
  EXPECT_EQ(statistics_.rows, 2);
}

TEST_F(PreferenceData, TreesGiveAPairForEachRankedQuestion) {
  EXPECT_THAT(
      read(R"({"message_tree_id": "t", "prompt": {"text": "q", "role": "prompter", "replies": [
      {"text": "w", "role": "assistant", "rank": 1},
      {"text": "b", "role": "assistant", "rank": 0, "replies": [
        {"text": "r", "role": "prompter", "replies": [
          {"text": "t", "role": "assistant", "rank": 1},
          {"text": "s", "role": "assistant", "rank": 0}]}]}]}})"),
      ElementsAre("<s>User: q\n\nAssistant: b</s>User: r\n\nAssistant:| s</s>| t</s>",
                  "<s>User: q\n\nAssistant:| b</s>| w</s>"));
}

TEST_F(PreferenceData, BadPairsAreNamed) {
  EXPECT_THAT(problem(R"({"prompt": "p", "chosen": "x", "rejected": "x"})"),
              StartsWith(":1: chosen and rejected are the same; mend the row"));
  EXPECT_THAT(problem(R"({"prompt": "p", "chosen": "x", "rejected": ""})"),
              StartsWith(":1: rejected: message 2: the content of the assistant is empty"));
  EXPECT_THAT(problem(R"({"chosen": [{"role": "user", "content": "p"},
      {"role": "assistant", "content": "x"}], "rejected": [{"role": "user", "content": "q"},
      {"role": "assistant", "content": "y"}]})"),
              StartsWith(":1: chosen and rejected share no prompt"));
  EXPECT_THAT(problem(R"({"chosen": "\n\nHuman: p\n\nAssistant: x\n\nHuman: r\n\nAssistant: s",
                          "rejected": "\n\nHuman: p\n\nAssistant: y"})"),
              StartsWith(":1: 'chosen' goes on with 3 messages behind the shared prompt"));
  EXPECT_THAT(problem(R"({"chosen": "\n\nHuman: p", "rejected": "\n\nHuman: p\n\nAssistant: y"})"),
              StartsWith(":1: 'chosen' ends with the shared prompt: it has no answer"));
  EXPECT_THAT(
      problem(R"({"prompt": "p", "chosen": {"role": "user", "content": "x"}, "rejected": "y"})"),
      StartsWith(":1: 'chosen' is said by the user, not by the assistant"));
  EXPECT_THAT(problem(R"({"prompt": "p", "completion": "x", "label": false})"),
              StartsWith(":1: 'label' marks the answer as good or bad (KTO)"));
  EXPECT_THAT(problem(R"({"prompt": "p", "completion": "x"})"),
              StartsWith(":1: in no known format of preferences (its keys: prompt, completion)"));
  EXPECT_THAT(problem(R"({"prompt": "p", "answers": [{"answer": "b", "rank": 2},
                          {"answer": "a", "rank": 2}]})"),
              StartsWith(":1: the ranking has no two answers of different rank"));
  options_.context = 20;
  EXPECT_THAT(problem(R"({"prompt": "p", "chosen": "x", "rejected": "longer"})"),
              StartsWith(":1: 28 tokens, more than the context of 20"));
}

TEST_F(PreferenceData, KindsOfFilesAreToldByTheirFirstRow) {
  const auto holds = [&](const char* row) {
    std::ofstream(path_, std::ios::trunc) << row;
    return holds_preferences({path_});
  };
  EXPECT_TRUE(holds(R"({"chosen": "x", "rejected": "y"})"));
  EXPECT_TRUE(holds(R"({"prompt": "p", "answers": []})"));
  EXPECT_TRUE(holds(R"({"instruction": "p", "output": []})"));
  EXPECT_FALSE(holds(R"({"instruction": "p", "output": "x"})"));
  EXPECT_FALSE(holds("{broken"));
}

TEST_F(PreferenceData, APairEndsWhereBothAnswersDo) {
  chat_ = ChatTemplate::from_source(
      "{% for m in messages %}{{ m.content }}{% if m.content[0] == 'e' %}{{ eos_token }}"
      "{% endif %}{% endfor %}",
      "t", {{"eos_token", "</s>"}});
  const auto unended = [&](const std::string& chosen, const std::string& rejected) {
    read(fmt::format(R"({{"prompt": "p", "chosen": "{}", "rejected": "{}"}})", chosen, rejected));
    return statistics_.unended;
  };
  EXPECT_EQ(unended("e1", "e2"), 0);
  EXPECT_EQ(unended("e1", "x2"), 1);
  EXPECT_EQ(unended("x1", "e2"), 1);
  EXPECT_EQ(unended("x1", "x2"), 1);
}

TEST_F(PreferenceData, DialoguesHaveASystemPromptAndTools) {
  const std::string dialogues =
      R"("chosen": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "x"}],
         "rejected": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "y"}]})";
  EXPECT_THAT(read("{\"system\": \"s\", " + dialogues),
              ElementsAre("<s>s\n\nUser: p\n\nAssistant:| x</s>| y</s>"));
  EXPECT_THAT(read("{\"system\": \"\", " + dialogues),
              ElementsAre("<s>User: p\n\nAssistant:| x</s>| y</s>"));
  chat_ = ChatTemplate::from_source(
      "{{ tools | tojson }}{% for m in messages %}{{ m.content }}{% endfor %}", "t", {});
  EXPECT_THAT(read(R"({"tools": [{"name": "f"}], )" + dialogues),
              ElementsAre(R"([{"name": "f"}]p|x|y)"));
  EXPECT_THAT(read(R"({"prompt": "p", "tools": [{"name": "f"}], "chosen": "x", "rejected": "y"})"),
              ElementsAre(R"([{"name": "f"}]p|x|y)"));
}

// Equal ranks make no pair, wherever they stand, and the first of the best and the last of the
// worst are taken.
TEST_F(PreferenceData, RankingsLeaveEqualRanksOut) {
  const auto pairs = [&](const std::vector<int>& ranks, RankingPairs rankings) {
    std::string answers;
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      answers += fmt::format("{}{{\"answer\": \"{}\", \"rank\": {}}}", i > 0 ? ", " : "",
                             static_cast<char>('a' + i), ranks[i]);
    }
    rankings_ = rankings;
    std::vector<std::string> short_ones;
    for (const std::string& pair : read(R"({"prompt": "p", "answers": [)" + answers + "]}")) {
      short_ones.push_back({pair[pair.find("| ") + 2], pair[pair.rfind("| ") + 2]});
    }
    return short_ones;
  };
  EXPECT_THAT(pairs({1, 1, 2, 2}, RankingPairs::best_and_worst), ElementsAre("ad"));
  EXPECT_THAT(pairs({1, 1, 2, 2}, RankingPairs::all), ElementsAre("ac", "ad", "bc", "bd"));
  EXPECT_THAT(pairs({3, -1}, RankingPairs::all), ElementsAre("ba"));
  EXPECT_THAT(pairs({2, 1, 3}, RankingPairs::all), ElementsAre("ba", "bc", "ac"));
}

TEST_F(PreferenceData, BadRankingsAreNamed) {
  const auto answers = [&](const std::string& list) {
    return problem(R"({"prompt": "p", "answers": )" + list + "}");
  };
  for (const char* list : {"[3]", R"([{"answer": "a"}])", R"([{"answer": "a", "rank": "1"}])",
                           R"([{"answer": "a", "rank": null}])"}) {
    EXPECT_THAT(answers(list),
                StartsWith(":1: 'answers' wants objects with an answer and a rank, a number"))
        << list;
  }
  EXPECT_THAT(answers("{}"), StartsWith(":1: 'answers' is object, not a list"));
  EXPECT_THAT(answers(R"([{"rank": 1}])"), StartsWith(":1: has no 'answer'"));
  EXPECT_THAT(answers("[]"), StartsWith(":1: the ranking has no two answers of different rank"));
  EXPECT_THAT(answers(R"([{"answer": "a", "rank": 1}, {"answer": "a", "rank": 2}])"),
              StartsWith(":1: the ranking has no two answers of different rank"));
  EXPECT_THAT(problem(R"({"instruction": "p", "output": ["a", 3]})"),
              StartsWith(":1: 'output' holds number, not a text"));
  EXPECT_THAT(problem(R"({"message_tree_id": "t", "prompt": {"text": "q", "role": "prompter",
                          "replies": [{"text": "a", "role": "assistant"},
                                      {"text": "b", "role": "assistant", "rank": 1}]}})"),
              StartsWith(":1: no message of the tree has answers of different rank"));
}

TEST_F(PreferenceData, QuestionsAreInAnyOfTheirKeys) {
  const std::string answers = R"(, "chosen": "x", "rejected": "y"})";
  const std::string pair = "<s>User: p\n\nAssistant:| x</s>| y</s>";
  for (const char* question :
       {R"({"prompt": "p")", R"({"question": "p")", R"({"instruction": "p")",
        R"({"messages": [{"role": "user", "content": "p"}])",
        R"({"conversation": [{"role": "user", "content": "p"}], "prompt": "other")",
        R"({"prompt": "p", "question": "other")", R"({"instruction": "p", "prompt": "other")"}) {
    EXPECT_THAT(read(question + answers), ElementsAre(pair)) << question;
  }
  EXPECT_THAT(read(R"({"instruction": "i", "input": "j")" + answers),
              ElementsAre("<s>User: i\nj\n\nAssistant:| x</s>| y</s>"));
  EXPECT_THAT(problem(R"({"prompt": "p", "chosen": {"role": "assistant", "content": "x"},
                          "rejected": {"role": "assistant", "content": "x"}})"),
              StartsWith(":1: chosen and rejected are the same"));
  EXPECT_THAT(problem(R"({"chosen": "\n\nHuman: p\n\nAssistant: x",
                          "rejected": "\n\nHuman: p\n\nAssistant: x"})"),
              StartsWith(":1: chosen and rejected are the same"));
  EXPECT_THAT(problem(R"({"prompt": "p", "chosen": 3, "rejected": "y"})"),
              StartsWith(":1: 'chosen': is number, neither a text nor messages"));
  EXPECT_THAT(problem(R"({"prompt": "p", "chosen": "x", "rejected": []})"),
              StartsWith(":1: 'rejected' ends with the shared prompt: it has no answer"));
}

}  // namespace
}  // namespace fathom

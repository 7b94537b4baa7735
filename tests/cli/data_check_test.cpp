// `fathom data check` of conversations and preferences.
#include <gmock/gmock.h>

#include "cli/tiny_run.h"

namespace fathom::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class DataCheck : public testing::Test {
 protected:
  // Made by the first test, for the directory is called after one.
  void SetUp() override {
    if (shared_) return;
    shared_ = std::make_unique<TempDir>();
    write_file(*shared_ / "text.txt", tiny_text());
    must(run_fathom(
        *shared_, {"tokenizer", "train", *shared_ / "text.txt", "--vocab-size", "300", "--special",
                   "<s>", "--special", "</s>", "--out", *shared_ / "tokenizer.json"}));
  }
  static void TearDownTestSuite() { shared_.reset(); }

  Outcome check(const std::string& rows, std::vector<std::string> more = {}) {
    write_file(dir() / "rows.jsonl", rows);
    std::vector<std::string> arguments{"data",    "check",     dir() / "rows.jsonl",
                                       "--model", dir() / ".", "--chat-template",
                                       "deepseek"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_fathom(dir(), std::move(arguments));
  }
  static const TempDir& dir() { return *shared_; }

 private:
  static std::unique_ptr<TempDir> shared_;
};
std::unique_ptr<TempDir> DataCheck::shared_;

TEST_F(DataCheck, ConversationsWithWhatIsLearned) {
  const std::string rows =
      "{\"prompt\": \"x\", \"completion\": \"y\"}\n{\"prompt\": \"北京\", \"completion\": "
      "\"好\"}\n";
  const Outcome plain = check(rows, {"--show", "1"});
  must(plain);
  EXPECT_THAT(plain.out, HasSubstr("rows        2: 2 conversations\n"));
  EXPECT_THAT(plain.out, HasSubstr("turns       4, 2.0 each; 2 of the assistant\n"));
  EXPECT_THAT(plain.out, HasSubstr("scripts     Han 50.0 %, Latin 50.0 %\n"));
  EXPECT_THAT(plain.out, HasSubstr("\n--- 1\n<s>User: x\n\nAssistant:[[ y</s>]]\n"));
  EXPECT_THAT(plain.out, Not(HasSubstr("--- 2")));
  const Outcome colored = check(rows, {"--color", "always", "--system", "Be brief."});
  must(colored);
  EXPECT_THAT(colored.out, HasSubstr("<s>Be brief.\n\nUser: x\n\nAssistant:\033[32m y</s>\033[0m"));
}

// Eight scripts are all named; of more, the seven most frequent ones and "others".
TEST_F(DataCheck, NamesTheMostFrequentScripts) {
  const auto row = [](const std::string& text) {
    return fmt::format("{{\"prompt\": \"{0}\", \"completion\": \"{0}\"}}\n", text);
  };
  std::string rows = row("x") + row("x") + row("x");
  for (const char* letter : {"α", "ж", "א", "م", "क", "ก", "か"}) rows += row(letter);
  const Outcome eight = check(rows, {"--show", "0"});
  must(eight);
  EXPECT_THAT(eight.out, HasSubstr("scripts     Latin 30.0 %, Arabic 10.0 %, Cyrillic 10.0 %, "
                                   "Devanagari 10.0 %, Greek 10.0 %, Hebrew 10.0 %, Kana 10.0 %, "
                                   "Thai 10.0 %\n"));
  const Outcome ten = check(rows + row("中") + row("한"), {"--show", "0"});
  must(ten);
  EXPECT_THAT(ten.out, HasSubstr("scripts     Latin 25.0 %, Arabic 8.3 %, Cyrillic 8.3 %, "
                                 "Devanagari 8.3 %, Greek 8.3 %, Han 8.3 %, Hangul 8.3 %, "
                                 "others 25.0 %\n"));
}

TEST_F(DataCheck, PreferencesShowBothAnswers) {
  const Outcome outcome = check(R"({"prompt": "p", "chosen": "x", "rejected": "y"})");
  must(outcome);
  EXPECT_THAT(outcome.out, HasSubstr("rows        1: 1 pairs\n"));
  EXPECT_THAT(outcome.out, HasSubstr("User: p\n\nAssistant:[[ x</s>]][[ y</s>]]\n"));
}

TEST_F(DataCheck, BadRowsFailAndLongOnesAreCounted) {
  const Outcome outcome = check(
      "{\"prompt\": \"x\", \"completion\": \"y\"}\n{\"prompt\": \"x\", \"completion\": \"\"}\n"
      "{\"prompt\": \"x\", \"completion\": \"much longer than the other one, so it is left "
      "out\"}\n",
      {"--context", "30"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("1 of 3 rows are bad"));
  EXPECT_THAT(outcome.out, HasSubstr("rows        3: 1 conversations\n"));
  EXPECT_THAT(outcome.out, HasSubstr("1 bad rows left out (the first: " + (dir() / "rows.jsonl") +
                                     ":2: message 2: the content of the assistant is empty"));
  EXPECT_THAT(outcome.out, HasSubstr("1 rows beyond the context left out (the first: " +
                                     (dir() / "rows.jsonl") + ":3: "));
}

TEST_F(DataCheck, SwitchesChangeTheRowsThatAreShown) {
  const std::string chat =
      R"({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "a"}, )"
      R"({"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}, )"
      R"({"role": "assistant", "content": "d"}]})";
  const auto shown = [&](const std::string& rows, std::vector<std::string> more) {
    const Outcome outcome = check(rows, std::move(more));
    must(outcome);
    return outcome.out;
  };
  const std::string first = "User: a\n\nAssistant:[[ b</s>]]",
                    last = "User: c\n\nAssistant:[[ d</s>]]\n";
  EXPECT_THAT(shown(chat, {}), HasSubstr("--- 1\n<s>S\n\n" + first + last));
  EXPECT_THAT(shown(chat, {"--learn", "all"}), HasSubstr("--- 1\n<s>S\n\n" + first + last));
  EXPECT_THAT(shown(chat, {"--learn", "last"}),
              HasSubstr("--- 1\n<s>S\n\nUser: a\n\nAssistant: b</s>" + last));
  EXPECT_THAT(shown(chat, {"--no-system"}), HasSubstr("--- 1\n<s>" + first + last));
  EXPECT_THAT(shown(chat, {"--system", "T"}), HasSubstr("--- 1\n<s>S\n\n" + first + last));

  const std::string exam = R"({"prompt": "Which?\nA. one\nB. two\nC. three", "completion": "B"})";
  EXPECT_THAT(shown(chat + "\n" + exam, {}), HasSubstr("rows        2: 2 conversations\n"));
  EXPECT_THAT(shown(chat + "\n" + exam, {"--no-exams"}),
              HasSubstr("rows        2: 1 conversations\n"));

  const std::string ranking = R"({"prompt": "p", "answers": [{"answer": "x", "rank": 2}, )"
                              R"({"answer": "y", "rank": 1}, {"answer": "z", "rank": 3}]})";
  EXPECT_THAT(shown(ranking, {}), HasSubstr("rows        1: 1 pairs\n"));
  EXPECT_THAT(shown(ranking, {}), HasSubstr("[[ y</s>]][[ z</s>]]\n"));
  EXPECT_THAT(shown(ranking, {"--rankings", "all"}), HasSubstr("rows        1: 3 pairs\n"));
}

TEST_F(DataCheck, WithoutAModelChatsCannotBeRead) {
  const Outcome outcome = run_fathom(dir(), {"data", "check", dir() / "text.txt"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("not a prepared directory; to check conversations"));
}

}  // namespace
}  // namespace fathom::test

// fathom chat without a terminal, and answers to files of conversations.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/random_model.h"

namespace fathom {
namespace {

using test::read_file;
using test::write_file;
using testing::HasSubstr;
using testing::Not;

struct ChatOutcome {
  int code = -1;
  std::string out, err;
};

class Chat : public testing::Test {
 protected:
  Chat() {
    test::save_random_model(model_, dir_ / "tokenizer.json");
    write_file(dir_ / "chat.jinja",
               "{% for m in messages %}{{ m.role + ': ' + m.content + '|' }}{% endfor %}");
  }

  // Runs the binary with `input` as standard input.
  ChatOutcome run(const std::string& arguments, const std::string& input) {
    write_file(dir_ / "in", input);
    const std::string command = fmt::format("{} {} < '{}' > '{}' 2> '{}'", FATHOM_BINARY, arguments,
                                            dir_ / "in", dir_ / "out", dir_ / "err");
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(dir_ / "out"),
            read_file(dir_ / "err")};
  }
  std::string chat() const {
    return "chat " + model_ + " --max-tokens 5 --temperature 0 --template " + dir_ / "chat.jinja";
  }

  test::TempDir dir_;
  std::string model_ = dir_ / "model";
};

TEST_F(Chat, EachLineIsATurn) {
  const ChatOutcome both = run(chat(), "Hi\n\nYes\n");
  EXPECT_EQ(both.code, 0) << both.err;
  EXPECT_THAT(both.err, HasSubstr("the answer is cut here: /max-tokens is 5"));
  EXPECT_TRUE(both.out.starts_with(run(chat(), "Hi\n").out));
  const ChatOutcome reset = run(chat(), "Hi\n/reset\r\nHi\n/quit\nHi\n");
  const std::string once = run(chat(), "Hi\n").out;
  EXPECT_EQ(reset.out, once + once) << "nothing after /quit";
  EXPECT_THAT(reset.err, HasSubstr("the conversation begins again"));
}

TEST_F(Chat, SavesAndGoesOn) {
  const std::string file = dir_ / "saved.json";
  const ChatOutcome whole = run(chat(), "Hi\n/save " + file + "\nYes\n");
  EXPECT_EQ(whole.code, 0) << whole.err;
  const auto saved = nlohmann::json::parse(read_file(file));
  EXPECT_EQ(saved["messages"].size(), 2u);
  EXPECT_EQ(saved["messages"][0]["content"], "Hi");
  EXPECT_EQ(run(chat() + " --load " + dir_ / "none.json", "").code, 2);
  EXPECT_EQ(run(chat() + " --load " + file, "/reset\nHi\n").out, run(chat(), "Hi\n").out);
}

TEST_F(Chat, SaysWhatIsWrongInOneLine) {
  const auto refusal = [&](const std::string& arguments, const std::string& input) {
    const ChatOutcome outcome = run(arguments, input);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
    return outcome.err;
  };
  EXPECT_THAT(refusal("chat " + model_, "Hi\n"), HasSubstr("the model has no chat template"));
  EXPECT_THAT(refusal(chat(), "/temp\n"), HasSubstr("there is no command /temp"));
  EXPECT_THAT(refusal(chat(), std::string(90, 'x') + "\n"), HasSubstr("context of 64"));
  EXPECT_THAT(refusal(chat() + " --system ' '", "Hi\n"), HasSubstr("system prompt is empty"));
  EXPECT_THAT(refusal("generate " + model_ + " --prompt a --system b", ""),
              HasSubstr("--template and --system are for --conversations"));
  EXPECT_THAT(refusal("generate " + model_ + " --prompt a --conversations b", ""),
              HasSubstr("--conversations cannot be used together"));
}

TEST_F(Chat, AFileOfConversationsIsAnswered) {
  write_file(dir_ / "q.jsonl", "{\"id\": 3, \"prompt\": \"Hi\"}\n{\"prompt\": \"Yes\"}\n");
  const ChatOutcome outcome =
      run("generate " + model_ + " --conversations " + dir_ / "q.jsonl" + " --temperature 0" +
              " --max-tokens 5 --template " + dir_ / "chat.jinja",
          "");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const auto row = nlohmann::json::parse(outcome.out.substr(0, outcome.out.find('\n')));
  EXPECT_EQ(row["id"], 3);
  EXPECT_EQ(row["answer_tokens"], 5);
  EXPECT_EQ(std::ranges::count(outcome.out, '\n'), 2);
}

}  // namespace
}  // namespace fathom

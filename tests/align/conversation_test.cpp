#include "align/conversation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "align/run_prompts.h"
#include "core/error.h"

namespace fathom {
namespace {

using Turns = std::initializer_list<std::pair<const char*, const char*>>;

// The problem of a conversation; empty when there is none. A content of "-" is none, "call"
// calls a tool.
std::string problem(Turns turns, ConversationUse use = ConversationUse::training) {
  Conversation c;
  for (const auto& [role, content] : turns) {
    Message message = make_message(role, content);
    if (message.content() == "-") message.fields.erase("content");
    if (message.content() == "call") message.fields = {{"tool_calls", {{{"name", "f"}}}}};
    c.messages.push_back(message);
  }
  try {
    check_conversation(c, use);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "";
}

TEST(Conversation, UsualOnesAreAccepted) {
  for (const Turns& turns : std::initializer_list<Turns>{
           {{"user", "a"}, {"assistant", "b"}},
           {{"system", "s"}, {"user", "a"}, {"assistant", "b"}, {"user", "c"}},
           {{"system", "s"}, {"developer", "d"}, {"user", "a"}, {"assistant", "b"}},
           {{"assistant", "hello"}, {"user", "a"}, {"assistant", "b"}},
           {{"user", "a"}, {"assistant", "call"}, {"tool", ""}, {"tool", "x"}, {"assistant", "b"}},
           {{"user", "a"}, {"assistant", "call"}, {"tool", "x"}, {"user", "b"}, {"assistant", "c"}},
           {{"user", "a"}, {"assistant", "call"}, {"assistant", "b"}},
           {{"user", "a"},
            {"assistant", "call"},
            {"assistant", "call"},
            {"tool", "x"},
            {"assistant", "b"}}}) {
    EXPECT_EQ(problem(turns), "");
  }
  EXPECT_EQ(problem({{"user", "a"}}, ConversationUse::prompt), "");
}

TEST(Conversation, ProblemsAreNamedWithTheirMessage) {
  EXPECT_EQ(problem({}), "the conversation has no messages");
  EXPECT_EQ(problem({{"narrator", "a"}}),
            "message 1: unknown role 'narrator'; use system, user, assistant or tool");
  EXPECT_EQ(
      problem({{"user", "a"}, {"assistant", " \n"}}),
      "message 2: the content of the assistant is empty; give it a text or leave out the row");
  EXPECT_EQ(problem({{"user", "-"}, {"assistant", "b"}}),
            "message 1: the content of the user is missing; give it a text or leave out the row");
  EXPECT_EQ(problem({{"user", "a"}, {"user", "b"}, {"assistant", "c"}}),
            "message 2: two user messages follow each other; join them or leave out the row");
  EXPECT_EQ(problem({{"user", "a"}, {"assistant", "b"}, {"assistant", "c"}}),
            "message 3: two assistant messages follow each other; join them or leave out the row");
  EXPECT_EQ(problem({{"user", "a"}, {"system", "b"}, {"assistant", "c"}}),
            "message 2: a system message after the user's; system prompts come first");
  EXPECT_EQ(problem({{"system", "a"}, {"system", "b"}}), "message 2: a second system message");
  EXPECT_EQ(problem({{"user", "a"}, {"assistant", "b"}, {"tool", "c"}}),
            "message 3: a tool's result does not follow an assistant's message with tool_calls");
  EXPECT_EQ(problem({{"user", "a"}}), "there is no assistant's message to learn");
}

// A tool's result needs a call before it; only calls and results may be empty.
TEST(Conversation, ResultsOfToolsFollowACall) {
  const std::string no_call =
      "a tool's result does not follow an assistant's message with tool_calls";
  EXPECT_EQ(problem({{"tool", "x"}}), "message 1: " + no_call);
  EXPECT_EQ(problem({{"system", "s"}, {"tool", "x"}}), "message 2: " + no_call);
  EXPECT_EQ(problem({{"user", "a"}, {"tool", "x"}}), "message 2: " + no_call);
  EXPECT_EQ(problem({{"user", "a"}, {"assistant", "call"}, {"user", "b"}, {"tool", "x"}}),
            "message 4: " + no_call);
  EXPECT_EQ(problem({{"user", "a"}, {"assistant", "call"}, {"tool", "-"}}),
            "message 3: the content of the tool is missing; give it a text or leave out the row");
  EXPECT_EQ(problem({{"user", "call"}, {"assistant", "b"}}),
            "message 1: the content of the user is missing; give it a text or leave out the row");
  EXPECT_EQ(problem({{"user", "a"},
                     {"assistant", "call"},
                     {"tool", "x"},
                     {"assistant", "b"},
                     {"assistant", "c"}}),
            "message 5: two assistant messages follow each other; join them or leave out the row");
}

TEST(Conversation, ContentIsText) {
  Conversation c;
  c.messages.push_back({"user", {{"content", 3}}});
  EXPECT_THAT([&] { check_conversation(c, ConversationUse::prompt); },
              testing::ThrowsMessage<Error>("message 1: the content is number, not a text; a "
                                            "language model reads nothing else"));
}

TEST(RunPrompts, AskForTheLastAnswer) {
  const auto asked = [](const std::string& conversation) {
    RepetitionPrompt prompt;
    prompt.text = "t";
    prompt.conversation = conversation;
    std::string text;
    const Conversation question = conversation_of(prompt);
    for (const Message& message : question.messages) {
      text += message.role + ":" + std::string(message.content()) + " ";
    }
    return text;
  };
  EXPECT_EQ(asked(""), "user:t ");
  EXPECT_EQ(asked(R"({"prompt": "q", "completion": "a"})"), "user:q ");
  EXPECT_EQ(asked(R"({"messages": [{"role": "user", "content": "q"}]})"), "user:q ");
  EXPECT_EQ(asked(R"({"messages": [{"role": "system", "content": "s"},
      {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"},
      {"role": "user", "content": "r"}, {"role": "assistant", "content": "b"}]})"),
            "system:s user:q assistant:a user:r ");
}

TEST(Conversation, SystemPromptsAreOfTwoNames) {
  EXPECT_TRUE(is_system(make_message("system", "")));
  EXPECT_TRUE(is_system(make_message("developer", "")));
  for (const char* role : {"user", "assistant", "tool", "System"}) {
    EXPECT_FALSE(is_system(make_message(role, ""))) << role;
  }
  EXPECT_EQ(
      problem({{"developer", "a"}, {"developer", "b"}, {"user", "c"}}, ConversationUse::prompt),
      "message 2: a second developer message");
  EXPECT_EQ(problem({{"assistant", "a"}, {"developer", "b"}, {"user", "c"}}),
            "message 2: a developer message after the assistant's; system prompts come first");
  EXPECT_EQ(problem({{"user", "a"}, {"narrator", "b"}}),
            "message 2: unknown role 'narrator'; use system, user, assistant or tool");
}

// White space of ASCII says nothing; any other character does.
TEST(Conversation, ContentOfBlanksIsEmpty) {
  for (const char* content : {"", " ", "\t\n", "\r\v\f "}) {
    EXPECT_THAT(problem({{"user", content}}, ConversationUse::prompt),
                testing::HasSubstr("the content of the user is empty"));
  }
  for (const char* content : {"a", " a ", "\xc2\xa0", "\x1c"}) {
    EXPECT_EQ(problem({{"user", content}}, ConversationUse::prompt), "");
  }
}

// At least one answer is to be learned.
TEST(Conversation, WithoutALearnedAnswerItTeachesNothing) {
  Conversation c;
  c.messages = {make_message("user", "a"), make_message("assistant", "b"),
                make_message("user", "c"), make_message("assistant", "d")};
  c.messages[1].learned = false;
  EXPECT_NO_THROW(check_conversation(c, ConversationUse::training));
  c.messages[3].learned = false;
  EXPECT_NO_THROW(check_conversation(c, ConversationUse::prompt));
  EXPECT_THAT([&] { check_conversation(c, ConversationUse::training); },
              testing::ThrowsMessage<Error>("there is no assistant's message to learn"));
}

}  // namespace
}  // namespace fathom

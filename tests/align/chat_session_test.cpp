// Conversations with a model: what it is shown turn by turn, and what the commands do.
#include "align/chat_session.h"

#include <gmock/gmock.h>

#include "align/chat_commands.h"
#include "align/chat_model.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::input_error_of;
using test::read_file;
using test::TempDir;
using test::write_file;
using testing::HasSubstr;

constexpr std::int64_t answer_tokens = 12;

ChatSettings greedy() {
  ChatSettings settings;
  settings.max_tokens = answer_tokens;
  settings.sampling.temperature = 0;
  return settings;
}

bool go_on(std::string_view) {
  return true;
}

std::vector<std::pair<std::string, std::string>> texts_of(const std::vector<Message>& messages) {
  std::vector<std::pair<std::string, std::string>> texts;
  for (const Message& message : messages) {
    texts.emplace_back(message.role, std::string(message.content()));
  }
  return texts;
}

Conversation of(std::vector<Message> messages) {
  Conversation conversation;
  conversation.messages = std::move(messages);
  return conversation;
}

TEST(ChatSession, ShowsTheModelTheWholeConversation) {
  ChatModel m;
  ChatSession session(m.model, *m.engine, m.chat, greedy());
  std::string streamed;
  const ChatAnswer first = session.ask("Hi </s>", [&](std::string_view piece) {
    streamed += piece;
    return true;
  });
  EXPECT_FALSE(first.text.empty());
  utf8::replace_invalid(streamed);
  EXPECT_EQ(streamed, first.text);
  EXPECT_EQ(first.finish, infer::FinishReason::length);
  EXPECT_FALSE(first.stopped);
  Conversation shown = of({make_message("user", "Hi </s>")});
  const auto tokens = m.chat.encode_prompt(shown, m.model.tokenizer);
  EXPECT_EQ(std::ranges::count(tokens, 259), 0) << "a person's text is no special token";
  EXPECT_EQ(first.text, m.continued(tokens, answer_tokens, greedy().sampling));

  const ChatAnswer second = session.ask("And you?", go_on);
  shown.messages.push_back(make_message("assistant", first.text));
  shown.messages.push_back(make_message("user", "And you?"));
  EXPECT_EQ(second.text, m.continued(m.chat.encode_prompt(shown, m.model.tokenizer), answer_tokens,
                                     greedy().sampling));
  EXPECT_EQ(session.messages().size(), 4u);
  session.reset();
  EXPECT_TRUE(session.messages().empty());
  EXPECT_EQ(session.ask("Hi </s>", go_on).text, first.text);
}

TEST(ChatSession, PutsTheSystemPromptFirst) {
  ChatModel m;
  ChatSettings settings = greedy();
  settings.system = "Be brief.";
  ChatSession session(m.model, *m.engine, m.chat, settings);
  const std::string with = session.ask("Hi", go_on).text;
  const Conversation shown = of({make_message("system", "Be brief."), make_message("user", "Hi")});
  EXPECT_EQ(with, m.continued(m.chat.encode_prompt(shown, m.model.tokenizer), answer_tokens,
                              settings.sampling));
  session.reset();
  run_chat_command(session, "/system");
  const std::string without = session.ask("Hi", go_on).text;
  EXPECT_NE(without, with);
  session.reset();
  EXPECT_EQ(run_chat_command(session, "/system  Be brief. ").text, "the system prompt is set");
  EXPECT_EQ(session.ask("Hi", go_on).text, with);
}

TEST(ChatSession, DrawsEachAnswerByTheSeed) {
  ChatModel m;
  ChatSettings settings = greedy();
  settings.sampling.temperature = 1;
  settings.sampling.seed = 3;
  const auto answers = [&] {
    ChatSession session(m.model, *m.engine, m.chat, settings);
    const std::string first = session.ask("Hi", go_on).text;
    return std::pair(first, session.ask("Hi", go_on).text);
  };
  const auto once = answers();
  EXPECT_EQ(answers(), once);
  settings.sampling.seed = 4;
  EXPECT_NE(answers(), once);
}

TEST(ChatSession, ForgetsTheOldestTurnsWhenTheContextIsFull) {
  ChatModel m(160);
  ChatSession session(m.model, *m.engine, m.chat, greedy());
  EXPECT_EQ(session.context(), 160);
  std::int64_t dropped = 0;
  for (int turn = 0; turn < 6; ++turn) {
    const ChatAnswer answer = session.ask(fmt::format("turn {}", turn), go_on);
    ASSERT_FALSE(answer.text.empty()) << turn;
    dropped += answer.dropped_turns;
    // The model was shown the newest turns alone, as many as fit.
    const std::vector<Message>& all = session.messages();
    const Conversation shown = of({all.begin() + 2 * dropped, all.end() - 1});
    const auto tokens = m.chat.encode_prompt(shown, m.model.tokenizer);
    EXPECT_LE(std::ssize(tokens) + answer_tokens, 160) << turn;
    EXPECT_EQ(answer.text, m.continued(tokens, answer_tokens, greedy().sampling)) << turn;
    if (answer.dropped_turns > 0) {
      const Conversation one_more = of({all.begin() + 2 * (dropped - 1), all.end() - 1});
      EXPECT_GT(std::ssize(m.chat.encode_prompt(one_more, m.model.tokenizer)) + answer_tokens, 160);
    }
  }
  EXPECT_GE(dropped, 2);
  EXPECT_EQ(session.messages().size(), 12u) << "they can still be saved";
}

TEST(ChatSession, RefusesAMessageThatDoesNotFit) {
  ChatModel m(100);
  ChatSession session(m.model, *m.engine, m.chat, greedy());
  session.ask("Hi", go_on);
  const auto before = texts_of(session.messages());
  EXPECT_THAT(input_error_of([&] { session.ask(std::string(200, 'x'), go_on); }),
              HasSubstr("and the model's context of 100 must hold the answer too"));
  EXPECT_EQ(input_error_of([&] { session.ask(" \n", go_on); }), "the message is empty");
  EXPECT_EQ(texts_of(session.messages()), before);
  EXPECT_FALSE(session.ask("Hi again", go_on).text.empty()) << "the conversation goes on";
}

TEST(ChatSession, StopsAnAnswerAndKeepsWhatWasSaid) {
  ChatModel m;
  ChatSession session(m.model, *m.engine, m.chat, greedy());
  const std::string whole = session.ask("Hi", go_on).text;
  session.reset();
  std::string heard;
  const ChatAnswer answer = session.ask("Hi", [&](std::string_view piece) {
    heard += piece;
    return heard.size() < 3;
  });
  EXPECT_TRUE(answer.stopped);
  utf8::replace_invalid(heard);
  EXPECT_EQ(answer.text, heard);
  EXPECT_LT(heard.size(), whole.size());
  EXPECT_TRUE(whole.starts_with(heard));
  EXPECT_TRUE(m.engine->idle());
  EXPECT_EQ(session.messages().size(), 2u);
  session.reset();
  EXPECT_TRUE(session.ask("Hi", [](std::string_view) { return false; }).text.size() < whole.size());
}

TEST(ChatSession, AnAnswerOfNothingIsNoTurn) {
  ChatModel probe;
  ChatSession first(probe.model, *probe.engine, probe.chat, greedy());
  infer::TextRequest request;
  request.prompt =
      probe.chat.encode_prompt(of({make_message("user", "Hi")}), probe.model.tokenizer);
  request.sampling.temperature = 0;
  probe.engine->submit(request);
  ChatModel m(256, {probe.engine->step().front().tokens.front().token});
  ChatSession session(m.model, *m.engine, m.chat, greedy());
  const ChatAnswer answer = session.ask("Hi", go_on);
  EXPECT_EQ(answer.text, "");
  EXPECT_EQ(answer.finish, infer::FinishReason::end_of_text);
  EXPECT_TRUE(session.messages().empty());
}

TEST(ChatSession, EndsAtTheTemplatesEndOfTurn) {
  const Tokenizer tokenizer = small_tokenizer();
  EXPECT_EQ(end_of_turn(ChatTemplate::open("chatml", "", tokenizer), tokenizer), 261);
  EXPECT_EQ(end_of_turn(ChatTemplate::open("deepseek", "", tokenizer), tokenizer), 259);
  const char* const source = "{% for m in messages %}{{ m.content + '\\n' }}{% endfor %}";
  const ChatTemplate bare = ChatTemplate::from_source(source, "bare", {});
  EXPECT_EQ(end_of_turn(bare, tokenizer), std::nullopt);
  infer::LoadedModel model = random_chat_model(64);
  const ChatTemplate chatml = ChatTemplate::open("chatml", "", tokenizer);
  model.end_tokens = {259};
  stop_at_end_of_turn(model, chatml);
  stop_at_end_of_turn(model, chatml);
  EXPECT_EQ(model.end_tokens, (std::vector<std::int32_t>{259, 261}));
}

TEST(ChatSession, GoesOnFromASavedConversation) {
  const TempDir dir;
  ChatModel m;
  ChatSettings settings = greedy();
  settings.system = "Be brief.";
  ChatSession session(m.model, *m.engine, m.chat, settings);
  session.ask("你好 \"x\"", go_on);
  session.save(dir / "chat.json");
  const auto saved = texts_of(session.messages());
  const std::string next = session.ask("And?", go_on).text;

  ChatSession other(m.model, *m.engine, m.chat, greedy());
  other.ask("something else", go_on);
  EXPECT_THAT(run_chat_command(other, "/load " + dir / "chat.json").text,
              HasSubstr("after 2 messages"));
  EXPECT_EQ(other.settings().system, "Be brief.");
  EXPECT_EQ(texts_of(other.messages()), saved);
  ChatSettings same = other.settings();
  EXPECT_EQ(other.ask("And?", go_on).text, next);
  EXPECT_EQ(same.max_tokens, answer_tokens) << "the other settings are the session's own";
}

// What a session no longer shows the model of one conversation, it shows of the next.
TEST(ChatSession, ShowsAllOfAConversationThatReplacesAShortenedOne) {
  const TempDir dir;
  write_file(dir / "chat.json", R"({"messages": [{"role": "user", "content": "a"}, )"
                                R"({"role": "assistant", "content": "b"}]})");
  ChatModel m(160);
  for (const bool loads : {true, false}) {
    ChatSession session(m.model, *m.engine, m.chat, greedy());
    std::int64_t dropped = 0;
    for (int turn = 0; turn < 4; ++turn) {
      dropped += session.ask(fmt::format("turn {}", turn), go_on).dropped_turns;
    }
    ASSERT_GT(dropped, 0);
    Conversation shown;
    if (loads) {
      session.load(dir / "chat.json");
      shown = of({make_message("user", "a"), make_message("assistant", "b")});
    } else {
      session.reset();
    }
    shown.messages.push_back(make_message("user", "c"));
    EXPECT_EQ(session.ask("c", go_on).text,
              m.continued(m.chat.encode_prompt(shown, m.model.tokenizer), answer_tokens,
                          greedy().sampling));
  }
}

TEST(ChatSession, RefusesFilesThatAreNoConversation) {
  const TempDir dir;
  ChatModel m;
  ChatSession session(m.model, *m.engine, m.chat, greedy());
  session.ask("Hi", go_on);
  const auto refusal = [&](const std::string& text) {
    write_file(dir / "c.json", text);
    return input_error_of([&] { session.load(dir / "c.json"); });
  };
  const std::string user = "{\"role\":\"user\",\"content\":\"a\"}";
  const std::string model = "{\"role\":\"assistant\",\"content\":\"b\"}";
  const std::string good = "{\"messages\":[" + user + "," + model + "]}\n";
  EXPECT_THAT(refusal(good + good), HasSubstr("more than one conversation"));
  EXPECT_THAT(refusal("{\"messages\":[" + user + "," + model + "," + user + "]}"),
              HasSubstr("c.json:1: ends with a message that has no answer"));
  EXPECT_THAT(refusal("{\"a\": 1}"), HasSubstr("c.json:1: in no known format"));
  EXPECT_THAT(refusal("{\"messages\":[" + model + "," + model + "]}"), HasSubstr("message 2: two"));
  EXPECT_EQ(session.messages().size(), 2u) << "the old one goes on";
  EXPECT_EQ(session.messages()[0].content(), "Hi");
  write_file(dir / "good.json", good);
  session.load(dir / "good.json");
  EXPECT_EQ(texts_of(session.messages()),
            (std::vector<std::pair<std::string, std::string>>{{"user", "a"}, {"assistant", "b"}}));
}

TEST(ChatCommands, ShowAndChangeSettings) {
  ChatModel m;
  ChatSession session(m.model, *m.engine, m.chat, greedy());
  const auto said = [&](const char* line) { return run_chat_command(session, line).text; };
  EXPECT_EQ(said("/temperature"), "temperature is 0");
  EXPECT_EQ(said("/temperature 0.5"), "temperature is 0.5");
  EXPECT_EQ(session.settings().sampling.temperature, 0.5);
  EXPECT_EQ(said("/top-p 0.9"), "top-p is 0.9");
  EXPECT_EQ(session.settings().sampling.top_p, 0.9);
  EXPECT_EQ(said("/max-tokens 7"), "max-tokens is 7");
  EXPECT_EQ(session.settings().max_tokens, 7);
  EXPECT_EQ(said("/seed 18446744073709551615"), "seed is 18446744073709551615");
  EXPECT_EQ(session.settings().sampling.seed, 18446744073709551615u);
  EXPECT_THAT(said("/help"), HasSubstr("/max-tokens N"));
  EXPECT_FALSE(run_chat_command(session, "/help").quit);
  EXPECT_TRUE(run_chat_command(session, "/quit").quit);
}

TEST(ChatCommands, RefuseWhatTheyDoNotKnow) {
  ChatModel m;
  ChatSession session(m.model, *m.engine, m.chat, greedy());
  const auto refusal = [&](const char* line) {
    return input_error_of([&] { run_chat_command(session, line); });
  };
  EXPECT_EQ(refusal("/temprature 1"),
            "there is no command /temprature; did you mean /temperature?: /help lists them");
  EXPECT_EQ(refusal("/temperature warm"), "/temperature takes a number, not 'warm'");
  EXPECT_EQ(refusal("/max-tokens 7.5"), "/max-tokens takes a number, not '7.5'");
  EXPECT_EQ(refusal("/seed -1"), "/seed takes a number, not '-1'");
  EXPECT_THAT(refusal("/temperature -1"), HasSubstr("temperature is -1"));
  EXPECT_THAT(refusal("/max-tokens 0"), HasSubstr("max-tokens is 0"));
  EXPECT_EQ(refusal("/save"), "/save takes the name of a file");
  EXPECT_EQ(session.settings().sampling.temperature, 0) << "the old settings stay";
  EXPECT_EQ(session.settings().max_tokens, answer_tokens);
}

TEST(ChatCommands, ASecondSlashMakesATurn) {
  EXPECT_TRUE(is_chat_command("/help"));
  EXPECT_FALSE(is_chat_command("//etc"));
  EXPECT_FALSE(is_chat_command("what is /etc?"));
  EXPECT_EQ(chat_turn("//etc"), "/etc");
  EXPECT_EQ(chat_turn("a//b"), "a//b");
}

// Turns that were forgotten to make room for a message come back when it does not fit at all.
TEST(ChatSession, ARefusedMessageForgetsNothing) {
  ChatModel m(160);
  ChatSession session(m.model, *m.engine, m.chat, greedy());
  const std::string first = session.ask("Hi", go_on).text;
  EXPECT_THAT(input_error_of([&] { session.ask(std::string(200, 'x'), go_on); }),
              HasSubstr("the message is 2"));
  const Conversation shown =
      of({make_message("user", "Hi"), make_message("assistant", first), make_message("user", "c")});
  const ChatAnswer answer = session.ask("c", go_on);
  EXPECT_EQ(answer.dropped_turns, 0);
  EXPECT_EQ(answer.text, m.continued(m.chat.encode_prompt(shown, m.model.tokenizer), answer_tokens,
                                     greedy().sampling));
}

// Who wants no more when the answer has ended has stopped nothing.
TEST(ChatSession, AnAnswerThatHasEndedIsNotStopped) {
  ChatModel m;
  int pieces = 0;
  const auto answer_up_to = [&](int most) {
    ChatSession session(m.model, *m.engine, m.chat, greedy());
    pieces = 0;
    return session.ask("Hi", [&](std::string_view) { return ++pieces < most; });
  };
  const std::string whole = answer_up_to(1000).text;
  const int all = pieces;
  const ChatAnswer last = answer_up_to(all);
  EXPECT_FALSE(last.stopped);
  EXPECT_EQ(last.text, whole);
  EXPECT_EQ(last.finish, infer::FinishReason::length);
  const ChatAnswer before = answer_up_to(all - 1);
  EXPECT_TRUE(before.stopped);
  EXPECT_EQ(before.finish, infer::FinishReason::none);
}

// An answer is cut by the context, but not to less than a quarter of it while old turns could go.
TEST(ChatSession, ALongAnswerTakesAtLeastAQuarterOfTheContext) {
  const TempDir dir;
  ChatModel m(120);
  ChatSettings settings = greedy();
  settings.max_tokens = 1000;
  // A conversation with a question of so many letters, and then "q".
  const auto shown = [](std::size_t letters) {
    return of({make_message("user", std::string(letters, 'a')), make_message("assistant", "b"),
               make_message("user", "q")});
  };
  const auto tokens = [&](std::size_t letters) {
    return m.chat.encode_prompt(shown(letters), m.model.tokenizer);
  };
  std::size_t letters = 1;
  while (std::ssize(tokens(letters)) < 120 - 30) ++letters;
  ASSERT_EQ(std::ssize(tokens(letters)), 120 - 30);
  for (const int more : {0, 1}) {
    write_file(dir / "c.json", fmt::format(R"({{"messages": [{{"role": "user", "content": "{}"}}, )"
                                           R"({{"role": "assistant", "content": "b"}}]}})",
                                           std::string(letters + std::size_t(more), 'a')));
    ChatSession session(m.model, *m.engine, m.chat, settings);
    session.load(dir / "c.json");
    const ChatAnswer answer = session.ask("q", go_on);
    EXPECT_EQ(answer.dropped_turns, more);
    EXPECT_EQ(answer.finish, infer::FinishReason::length);
    if (more == 0) {
      EXPECT_EQ(answer.text, m.continued(tokens(letters), 30, settings.sampling));
    }
  }
}

TEST(ChatSession, WhatIsNoSettingIsRefused) {
  ChatModel m;
  ChatSession session(m.model, *m.engine, m.chat, greedy());
  const auto refusal = [&](auto&& change) {
    ChatSettings settings = greedy();
    change(settings);
    return input_error_of([&] { session.change(settings); });
  };
  EXPECT_EQ(refusal([](ChatSettings& s) { s.system = " \n"; }),
            "the system prompt is empty: leave it out");
  EXPECT_EQ(refusal([](ChatSettings& s) { s.system = ""; }),
            "the system prompt is empty: leave it out");
  EXPECT_EQ(refusal([](ChatSettings& s) { s.max_tokens = 0; }), "max-tokens is 0: use at least 1");
  EXPECT_EQ(refusal([](ChatSettings& s) { s.max_tokens = 1; }), "no error");
  EXPECT_THAT(refusal([](ChatSettings& s) { s.sampling.top_p = 0; }), HasSubstr("top"));
}

TEST(ChatSession, FilesWithToolsOrNothingAreRefused) {
  const TempDir dir;
  ChatModel m;
  ChatSession session(m.model, *m.engine, m.chat, greedy());
  const auto refusal = [&](const std::string& text) {
    write_file(dir / "c.json", text);
    return input_error_of([&] { session.load(dir / "c.json"); });
  };
  EXPECT_EQ(refusal("\n"), dir / "c.json: it contains no conversation");
  EXPECT_EQ(refusal(R"({"tools": [{"name": "f"}], "messages": [{"role": "user", "content": "a"}, )"
                    R"({"role": "assistant", "content": "b"}]})"),
            dir / "c.json: its tools cannot be used here");
  // Of a developer's and a system's prompt the last one counts.
  write_file(dir / "c.json", R"({"messages": [{"role": "system", "content": "s"}, )"
                             R"({"role": "developer", "content": "d"}, )"
                             R"({"role": "user", "content": "a"}, )"
                             R"({"role": "assistant", "content": "b"}]})");
  session.load(dir / "c.json");
  EXPECT_EQ(session.settings().system, "d");
  EXPECT_EQ(session.messages().size(), 2u);
}

TEST(ChatCommands, NumbersAreReadWhole) {
  ChatModel m;
  ChatSession session(m.model, *m.engine, m.chat, greedy());
  const std::vector<std::string> names{"/temperature", "/top-p", "/max-tokens", "/seed"};
  for (const std::string& name : names) {
    for (const char* argument : {"12abc", "1 2", "x", "1e", "0x1", "--1", "1,5"}) {
      EXPECT_EQ(input_error_of([&] { run_chat_command(session, name + " " + argument); }),
                name + " takes a number, not '" + argument + "'");
    }
  }
  EXPECT_EQ(run_chat_command(session, "/seed\t 12\t").text, "seed is 12");
  EXPECT_EQ(input_error_of([&] { run_chat_command(session, "/seed 18446744073709551616"); }),
            "/seed takes a number, not '18446744073709551616'");
}

TEST(ChatCommands, SaySomethingOfWhatTheyDid) {
  const TempDir dir;
  ChatModel m;
  ChatSession session(m.model, *m.engine, m.chat, greedy());
  const auto said = [&](const std::string& line) { return run_chat_command(session, line).text; };
  EXPECT_EQ(said("/system"), "without a system prompt");
  EXPECT_EQ(said("/system x"), "the system prompt is set");
  session.ask("Hi", go_on);
  const std::string path = dir / "c d.json";
  EXPECT_EQ(said("/save " + path), "saved in " + path);
  EXPECT_EQ(said("/reset"), "the conversation begins again");
  EXPECT_TRUE(session.messages().empty());
  EXPECT_EQ(session.settings().system, "x");
  EXPECT_EQ(said("/load " + path), "goes on from " + path + ", after 2 messages");
  EXPECT_EQ(run_chat_command(session, "/quit").text, "");
  EXPECT_EQ(input_error_of([&] { said("/load"); }), "/load takes the name of a file");
  EXPECT_EQ(input_error_of([&] { said("/xyzzy"); }),
            "there is no command /xyzzy: /help lists them");
}

}  // namespace
}  // namespace fathom

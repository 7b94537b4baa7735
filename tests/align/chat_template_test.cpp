#include "align/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "small_tokenizer.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

Conversation conversation(std::initializer_list<std::pair<const char*, const char*>> turns) {
  Conversation result;
  for (const auto& [role, content] : turns) result.messages.push_back(make_message(role, content));
  return result;
}

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "nothing was thrown";
}

class ChatTemplateTest : public testing::Test {
 protected:
  std::string learned(const ChatTemplate& chat, const Conversation& c, ChatOptions options = {}) {
    const EncodedChat encoded = chat.encode(c, tokenizer_, options);
    return shown(tokenizer_, encoded.tokens, encoded.learned);
  }
  std::string prompt(const ChatTemplate& chat, const Conversation& c, ChatOptions options = {}) {
    return shown(tokenizer_, chat.encode_prompt(c, tokenizer_, options));
  }
  ChatTemplate builtin(const char* name) { return ChatTemplate::open(name, "", tokenizer_); }
  static ChatTemplate source(const char* text) {
    return ChatTemplate::from_source(text, "t", {{"bos_token", "<s>"}, {"eos_token", "</s>"}});
  }

  Tokenizer tokenizer_ = small_tokenizer();
  Conversation two_turns_ = conversation(
      {{"system", "S"}, {"user", "a"}, {"assistant", "b"}, {"user", "c"}, {"assistant", "d"}});
};

TEST_F(ChatTemplateTest, DeepSeekLearnsTheSpaceAndTheEnd) {
  EXPECT_EQ(learned(builtin("deepseek"), two_turns_),
            "<s>S\n\nUser: a\n\nAssistant:[ b</s>]User: c\n\nAssistant:[ d</s>]");
  EXPECT_EQ(prompt(builtin("deepseek"), conversation({{"user", "a"}})), "<s>User: a\n\nAssistant:");
}

TEST_F(ChatTemplateTest, ChatMLHasNoBeginToken) {
  EXPECT_EQ(learned(builtin("chatml"), conversation({{"user", "a"}, {"assistant", "b"}})),
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n[b<|im_end|>]\n");
  EXPECT_EQ(prompt(builtin("chatml"), conversation({{"user", "a"}})),
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n");
}

TEST_F(ChatTemplateTest, PlainJoinsTexts) {
  EXPECT_EQ(learned(builtin("plain"), conversation({{"user", "It is "}, {"assistant", "4."}})),
            "<s>It is [4.</s>]");
}

// A user's text may not end the turn, begin another, or continue a token of the template's.
TEST_F(ChatTemplateTest, TextOfUsersMakesNoSpecialTokens) {
  const auto c = conversation({{"user", "<|im_end|><s></s><|im_start|>"}, {"assistant", "x</s>"}});
  for (const char* name : {"deepseek", "chatml", "plain"}) {
    const ChatTemplate chat = builtin(name);
    const auto plain = conversation({{"user", "u"}, {"assistant", "v"}});
    const auto specials = [&](const Conversation& from) {
      const auto tokens = chat.encode(from, tokenizer_).tokens;
      return std::ranges::count_if(tokens, [&](auto id) { return tokenizer_.is_special(id); });
    };
    EXPECT_EQ(specials(c), specials(plain)) << name;
  }
  // The user's text goes up to a token of the template's and looks like its beginning.
  const auto cut = conversation({{"user", "<|im_end|"}, {"assistant", "<|im_end"}});
  EXPECT_EQ(learned(builtin("chatml"), cut),
            "<|im_start|>user\n<|im_end|<|im_end|>\n<|im_start|>assistant\n[<|im_end<|im_end|>]\n");
  const auto encoded = builtin("chatml").encode(cut, tokenizer_);
  EXPECT_EQ(std::ranges::count(encoded.tokens, 261), 2);
}

TEST_F(ChatTemplateTest, ASystemPromptIsAddedReplacedAndLeftOut) {
  const ChatTemplate chat = builtin("deepseek");
  const auto with = conversation({{"system", "S"}, {"user", "a"}});
  const auto without = conversation({{"user", "a"}});
  const std::string rest = "User: a\n\nAssistant:";
  ChatOptions options;
  options.system_text = "T";
  options.system = SystemPrompt::add;
  EXPECT_EQ(prompt(chat, with, options), "<s>S\n\n" + rest);
  EXPECT_EQ(prompt(chat, without, options), "<s>T\n\n" + rest);
  options.system = SystemPrompt::replace;
  EXPECT_EQ(prompt(chat, with, options), "<s>T\n\n" + rest);
  options.system = SystemPrompt::leave_out;
  EXPECT_EQ(prompt(chat, with, options), "<s>" + rest);
}

TEST_F(ChatTemplateTest, TheLastTurnAloneAndMessagesThatAreNotLearned) {
  ChatOptions last;
  last.learned = LearnedTurns::last;
  const char* untagged =
      "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
      "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
  auto given = two_turns_;
  given.messages.at(4).learned = false;
  for (const ChatTemplate& chat : {builtin("chatml"), source(untagged)}) {
    const std::string text = learned(chat, two_turns_, last);
    EXPECT_THAT(text, HasSubstr("assistant\nb<|im_end|>"));
    EXPECT_THAT(text, HasSubstr("assistant\n[d<|im_end|>"));
    EXPECT_THAT(learned(chat, given), HasSubstr("assistant\n[b<|im_end|>"));
    EXPECT_THAT(learned(chat, given), HasSubstr("assistant\nd<|im_end|>"));
  }
}

// Without tags the answer is all that the conversation grows by beyond the generation prompt.
TEST_F(ChatTemplateTest, PrefixesTellAnswersWithoutTags) {
  const ChatTemplate chat = source(
      "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ 'U:' + m.content }}"
      "{% elif m.role == 'assistant' %}{{ 'A:' + m.content + eos_token }}{% endif %}{% endfor %}"
      "{% if add_generation_prompt %}{{ 'A:' }}{% endif %}");
  EXPECT_EQ(
      learned(chat,
              conversation({{"user", "x"}, {"assistant", "y"}, {"user", "z"}, {"assistant", "a"}})),
      "<s>U:xA:[y</s>]U:zA:[a</s>]");
}

TEST_F(ChatTemplateTest, ATokenAcrossTheBeginningOfAnAnswerIsLearned) {
  const ChatTemplate chat = source(
      "{% for m in messages %}{{ m.role + ':\n' + m.content }}{% endfor %}"
      "{% if add_generation_prompt %}{{ 'assistant:\n' }}{% endif %}");
  EXPECT_EQ(learned(chat, conversation({{"user", "x"}, {"assistant", "\n y"}})),
            "user:\nxassistant:[\n\n y]");
}

TEST_F(ChatTemplateTest, TemplatesThatRewriteEarlierAnswersAreRefused) {
  const ChatTemplate chat = source(
      "{% for m in messages %}{{ m.role + ':' }}{% if m.role == 'user' or loop.last %}"
      "{{ m.content }}{% else %}{{ 'cut' }}{% endif %}{{ eos_token }}{% endfor %}"
      "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}");
  const auto c =
      conversation({{"user", "a"}, {"assistant", "b"}, {"user", "c"}, {"assistant", "d"}});
  EXPECT_THAT(message_of([&] { learned(chat, c); }),
              HasSubstr("message 2: the chat template writes it differently when more messages "
                        "follow"));
  ChatOptions last;
  last.learned = LearnedTurns::last;
  EXPECT_EQ(learned(chat, c, last), "user:a</s>assistant:cut</s>user:c</s>assistant:[d</s>]");
  const ChatTemplate thinking = source(
      "{% for m in messages %}{{ m.role + ':' + m.content }}{% endfor %}"
      "{% if add_generation_prompt %}{{ 'assistant:<think>' }}{% endif %}");
  EXPECT_THAT(message_of([&] { learned(thinking, c); }),
              HasSubstr("message 2: the chat template's generation prompt is not how it begins"));
}

// Phi-3's template ends the whole text with a token that the next turn does not follow.
TEST_F(ChatTemplateTest, AnEndOfTextAfterTheLastMessageIsNoPartOfEarlierOnes) {
  const ChatTemplate chat = source(
      "{% for m in messages %}{{ m.role + ':' + m.content + '<|im_end|>' }}{% endfor %}"
      "{% if add_generation_prompt %}{{ 'assistant:' }}{% else %}{{ eos_token }}{% endif %}");
  EXPECT_EQ(
      learned(chat,
              conversation({{"user", "a"}, {"assistant", "b"}, {"user", "c"}, {"assistant", "d"}})),
      "user:a<|im_end|>assistant:[b<|im_end|>]user:c<|im_end|>assistant:[d<|im_end|></s>]");
}

// Qwen 1.5 leaves the last end of turn off: a model would never learn to stop.
TEST_F(ChatTemplateTest, TheEndOfTheTurnIsLearnedWhereTheTemplateLeavesItOff) {
  const ChatTemplate chat = source(
      "{% for m in messages %}{{ m.role + ':' + m.content }}"
      "{% if not loop.last or add_generation_prompt %}{{ '<|im_end|>' }}{% endif %}{% endfor %}"
      "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}");
  EXPECT_EQ(
      learned(chat,
              conversation({{"user", "a"}, {"assistant", "b"}, {"user", "c"}, {"assistant", "d"}})),
      "user:a<|im_end|>assistant:[b<|im_end|>]user:c<|im_end|>assistant:[d<|im_end|>]");
  const ChatTemplate endless = source("{% for m in messages %}{{ m.content }}{% endfor %}");
  EXPECT_FALSE(
      endless.encode(conversation({{"user", "a"}, {"assistant", "b"}}), tokenizer_).ends_turns);
}

TEST_F(ChatTemplateTest, WhatATemplateLeavesOutIsRefused) {
  const ChatTemplate chat = source(
      "{% for m in messages %}{% if m.role != 'system' %}{{ m.content }}{% endif %}{% endfor %}");
  EXPECT_THAT(message_of([&] {
                prompt(chat, conversation({{"system", "S"}, {"user", "a"}}));
              }),
              HasSubstr("message 1: the chat template t leaves out what the system says"));
  EXPECT_THAT(message_of([&] {
                prompt(chat, conversation({{"system", "same"}, {"user", "same"}}));
              }),
              HasSubstr("message 2: the chat template t leaves out what the user says"))
      << "one text does not stand for two";
  auto c = conversation({{"user", "a"}});
  c.tools = nlohmann::ordered_json::parse(R"([{"function": {"name": "weather"}}])");
  EXPECT_THAT(message_of([&] { prompt(chat, c); }), HasSubstr("leaves out the tools"));
}

// A template sees a null field as absent, whichever it is, and reasoning under every name in use.
TEST_F(ChatTemplateTest, MessagesHaveNoNullFields) {
  const ChatTemplate chat = source(
      "{% for m in messages %}{{ m.keys() | list | sort | join(' ') ~ ';' }}"
      "{% if m.tool_calls is defined %}calls{% endif %}{{ m.content }}{% endfor %}");
  auto c = conversation({{"user", "x"}});
  c.messages[0].fields["tool_calls"] = nullptr;
  c.messages[0].fields["name"] = nullptr;
  c.messages[0].fields["n"] = 1;
  EXPECT_EQ(prompt(chat, c), "content n role;x");
  const ChatTemplate thoughts = source(
      "{% for m in messages %}{{ [m.content, m.thinking, m.reasoning_content] | join(',') }}"
      "{% endfor %}");
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    auto thought = conversation({{"assistant", "a"}, {"user", "x"}});
    for (const char* other : {"reasoning_content", "thinking", "reasoning"}) {
      thought.messages[0].fields[other] = nullptr;
    }
    thought.messages[0].fields[name] = "T";
    EXPECT_EQ(prompt(thoughts, thought), "a,T,Tx,,") << name;
  }
}

class ChatTemplateFiles : public ChatTemplateTest {
 protected:
  void SetUp() override {
    fs::remove_all(directory_);
    fs::create_directories(directory_ + "/additional_chat_templates");
  }
  void TearDown() override { fs::remove_all(directory_); }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ + "/" + name) << text;
  }
  ChatTemplate open(const std::string& choice = "") {
    return ChatTemplate::open(choice, directory_, tokenizer_);
  }
  std::string rendered(const std::string& choice = "") {
    return prompt(open(choice), conversation({{"user", "x"}}));
  }
  std::string directory_ = testing::TempDir() + "chat_template_files";
};

TEST_F(ChatTemplateFiles, ConfigHoldsOneTemplateOrSeveral) {
  write("tokenizer_config.json",
        R"({"chat_template": "{{ bos_token }}1{{ messages[0].content }}{{ eos_token }}",
            "bos_token": {"content": "<s>"}, "eos_token": "</s>"})");
  EXPECT_EQ(rendered(), "<s>1x</s>");
  write("tokenizer_config.json", R"({"chat_template": [
      {"name": "default", "template": "d{{ messages[0].content }}"},
      {"name": "tool_use", "template": "t{{ messages[0].content }}{{ tools[0].name }}"},
      {"name": "rag", "template": "r{{ messages[0].content }}"}]})");
  EXPECT_EQ(rendered(), "dx");
  EXPECT_EQ(rendered("rag"), "rx");
  auto c = conversation({{"user", "x"}});
  c.tools = nlohmann::ordered_json::parse(R"([{"name": "f"}])");
  EXPECT_EQ(prompt(open(), c), "txf");
  EXPECT_THAT(message_of([&] { prompt(open("rag"), c); }), HasSubstr("leaves out the tools"))
      << "a template that was named is taken with tools too";
}

TEST_F(ChatTemplateFiles, FilesOfTheirOwnComeBeforeTheConfig) {
  write("tokenizer_config.json", R"({"chat_template": "old{{ messages[0].content }}"})");
  write("special_tokens_map.json", R"({"bos_token": "<s>"})");
  write("chat_template.jinja", "{{ bos_token }}new{{ messages[0].content }}\n");
  write("additional_chat_templates/rag.jinja", "rag{{ messages[0].content }}");
  EXPECT_EQ(rendered(), "<s>newx");
  EXPECT_EQ(rendered("rag"), "ragx");
  EXPECT_EQ(rendered(directory_ + "/chat_template.jinja"), "<s>newx");
}

TEST_F(ChatTemplateFiles, WhatIsNotThereIsNamed) {
  EXPECT_THAT(
      message_of([&] { open(); }),
      HasSubstr("chat_template_files: the model has no chat template; name one (--template or "
                "model.template): deepseek, "));
  write("chat_template.jinja", "x");
  EXPECT_THAT(message_of([&] { open("rag"); }),
              HasSubstr("there is no chat template 'rag': choose deepseek, chatml, plain, a .jinja "
                        "file or the model's default"));
  write("chat_template.jinja", "a\n{% endfor %}");
  EXPECT_THAT(message_of([&] { open(); }), HasSubstr("chat_template.jinja, line 2"));
  const auto bare = Tokenizer::from_json(R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[]}})");
  EXPECT_THAT(message_of([&] { ChatTemplate::open("chatml", "", bare); }),
              HasSubstr("chatml needs the token <|im_start|>"));
  EXPECT_THAT(message_of([&] { ChatTemplate::open("deepseek", "", bare); }),
              HasSubstr("deepseek ends answers with an end-of-text token"));
}

TEST_F(ChatTemplateTest, TheHashChangesWithTheTemplateAndItsTokens) {
  const auto chat = source("x");
  EXPECT_EQ(chat.hash(), source("x").hash());
  EXPECT_NE(chat.hash(), source("y").hash());
  EXPECT_NE(chat.hash(), ChatTemplate::from_source("x", "t", {{"bos_token", "<s>"}}).hash());
}

TEST_F(ChatTemplateTest, OptionsGiveTheDayAndVariables) {
  const ChatTemplate dated =
      source("{{ strftime_now('%Y-%m-%d %H') }}{% for m in messages %}{{ m.content }}{% endfor %}");
  const auto c = conversation({{"user", "x"}});
  ChatOptions options;
  EXPECT_THAT(message_of([&] { prompt(dated, c, options); }),
              HasSubstr("the template needs the time, and none is given"));
  std::tm day{};
  day.tm_year = 125;
  day.tm_mon = 2;
  day.tm_mday = 7;
  day.tm_hour = 12;
  options.now = day;
  EXPECT_EQ(prompt(dated, c, options), "2025-03-07 12x");
  EXPECT_EQ(learned(source("{{ strftime_now('%d') }}{% for m in messages %}{{ m.content }}"
                           "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"),
                    conversation({{"user", "x"}, {"assistant", "y"}}), options),
            "07x[y</s>]");
  const ChatTemplate thinks = source(
      "{{ enable_thinking }},{{ documents }},{{ tools }},{{ add_generation_prompt }},"
      "{{ messages[0].content }}");
  options.variables["enable_thinking"] = false;
  EXPECT_EQ(prompt(thinks, c, options), "False,None,None,True,x");
  EXPECT_EQ(prompt(thinks, c), ",None,None,True,x");
}

// Also of a developer, who is a system by another name.
TEST_F(ChatTemplateTest, EverySystemPromptIsReplacedOrLeftOut) {
  const ChatTemplate chat = builtin("deepseek");
  const auto both = conversation({{"system", "S"}, {"developer", "D"}, {"user", "a"}});
  const auto developer = conversation({{"developer", "D"}, {"user", "a"}});
  const std::string rest = "User: a\n\nAssistant:";
  ChatOptions options;
  options.system_text = "T";
  EXPECT_EQ(prompt(chat, both, options), "<s>S\n\nD\n\n" + rest);
  options.system = SystemPrompt::add;
  EXPECT_EQ(prompt(chat, developer, options), "<s>D\n\n" + rest);
  options.system = SystemPrompt::replace;
  EXPECT_EQ(prompt(chat, both, options), "<s>T\n\n" + rest);
  EXPECT_EQ(prompt(chat, conversation({{"user", "a"}}), options), "<s>T\n\n" + rest);
  options.system = SystemPrompt::leave_out;
  EXPECT_EQ(prompt(chat, both, options), "<s>" + rest);
}

TEST_F(ChatTemplateTest, BuiltinTemplatesHaveNoTools) {
  auto c = conversation({{"user", "a"}, {"assistant", ""}, {"tool", "r"}});
  c.messages[1].fields["tool_calls"] = nlohmann::ordered_json::parse(R"([{"name": "f"}])");
  for (const std::string name : {"deepseek", "chatml", "plain"}) {
    EXPECT_THAT(message_of([&] { prompt(builtin(name.c_str()), c); }),
                HasSubstr("the template " + name + " has no tools"));
  }
}

TEST_F(ChatTemplateTest, BuiltinTemplatesKnowDevelopersAndPrompts) {
  const auto c = conversation({{"developer", "D"}, {"user", "a"}, {"assistant", "b"}});
  EXPECT_EQ(learned(builtin("chatml"), c),
            "<|im_start|>developer\nD<|im_end|>\n<|im_start|>user\na<|im_end|>\n"
            "<|im_start|>assistant\n[b<|im_end|>]\n");
  EXPECT_EQ(learned(builtin("plain"), c), "<s>Da[b</s>]");
  EXPECT_EQ(prompt(builtin("plain"), conversation({{"user", "a"}})), "<s>a");
}

// One own file takes the place of all templates in tokenizer_config.json.
TEST_F(ChatTemplateFiles, TemplatesOfTheConfigCountWhereThereIsNoFile) {
  write("tokenizer_config.json", R"({"bos_token": "<s>", "chat_template": [
      {"name": "default", "template": "d{{ messages[0].content }}"},
      {"name": "rag", "template": "r{{ messages[0].content }}"}]})");
  EXPECT_EQ(rendered("rag"), "rx");
  write("additional_chat_templates/notes.txt", "not a template");
  EXPECT_EQ(rendered("rag"), "rx");
  write("additional_chat_templates/own.jinja", "o{{ messages[0].content }}");
  EXPECT_EQ(rendered("own"), "ox");
  EXPECT_THAT(message_of([&] { open("rag"); }), HasSubstr("there is no chat template 'rag'"));
  EXPECT_THAT(message_of([&] { open(); }),
              HasSubstr("the model has no chat template called default, but own; name one"));
  fs::remove(directory_ + "/additional_chat_templates/own.jinja");
  write("chat_template.jinja", "{{ bos_token }}n{{ messages[0].content }}");
  EXPECT_EQ(rendered(), "<s>nx");
  EXPECT_THAT(message_of([&] { open("rag"); }), HasSubstr("a .jinja file or the model's default"));
  write("additional_chat_templates/rag.jinja", "f{{ messages[0].content }}");
  EXPECT_EQ(rendered("rag"), "fx");
}

// The config's tokens come before those of special_tokens_map.json, and both before none.
TEST_F(ChatTemplateFiles, TokensAreOfTheConfigThenOfTheMap) {
  write("chat_template.jinja",
        "{% for t in [bos_token, eos_token, unk_token, sep_token, pad_token, cls_token, "
        "mask_token] %}{{ t }},{% endfor %}{{ messages[0].content }}");
  write("special_tokens_map.json",
        R"({"bos_token": "1", "eos_token": {"content": "2"}, "unk_token": "3", "sep_token": "4",
            "pad_token": "5", "cls_token": "6", "mask_token": "7", "other_token": "8"})");
  EXPECT_EQ(rendered(), "1,2,3,4,5,6,7,x");
  write("tokenizer_config.json", R"({"bos_token": "a", "eos_token": null,
                                     "pad_token": {"content": "b"}})");
  EXPECT_EQ(rendered(), "a,2,3,4,b,6,7,x");
  fs::remove(directory_ + "/special_tokens_map.json");
  EXPECT_EQ(rendered(), "a,,,,b,,,x") << "a config that names no end has none";
  fs::remove(directory_ + "/tokenizer_config.json");
  EXPECT_EQ(rendered(), "<s>,</s>,,,,,,x") << "the tokenizer's usual ones";
}

}  // namespace
}  // namespace fathom

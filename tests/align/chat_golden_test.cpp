// Conversations as tokens with the assistant's marks, beside what PyPI's jinja2 and tokenizers
// make of them (tests/golden/make_chat_goldens.py).
#include <gtest/gtest.h>

#include <map>
#include <regex>

#include "align/chat_template.h"
#include "core/error.h"
#include "io/line_reader.h"
#include "test_data.h"

namespace fathom {
namespace {

using Json = nlohmann::ordered_json;

class ChatGolden : public testing::Test {
 protected:
  const Tokenizer& tokenizer(const std::string& name) {
    const auto found = tokenizers_.find(name);
    if (found != tokenizers_.end()) return found->second;
    const std::string path = golden_path("tokenizer/" + name + ".json");
    return tokenizers_.emplace(name, Tokenizer::load(path)).first->second;
  }
  // Encodes every case with its template, changed by `change`, and compares.
  void compare(const std::function<std::string(std::string)>& change) {
    int cases = 0;
    for (const Json& one : golden_["cases"]) {
      const auto name = one["tokenizer"].get<std::string>();
      const auto template_name = one["template"].get<std::string>();
      SCOPED_TRACE(fmt::format("{}, {}, conversation {}", name, template_name,
                               one["conversation"].get<int>()));
      Conversation conversation;
      for (const Json& turn : golden_["conversations"][one["conversation"].get<std::size_t>()]) {
        conversation.messages.push_back(make_message(turn[0], turn[1]));
      }
      const auto chat = ChatTemplate::from_source(
          change(golden_["templates"][template_name].get<std::string>()), template_name,
          golden_["tokens"][name].get<std::map<std::string, std::string>>());
      const EncodedChat encoded = chat.encode(conversation, tokenizer(name));
      std::string learned;
      for (const std::uint8_t mark : encoded.learned) learned += mark ? '1' : '0';
      EXPECT_EQ(encoded.tokens, one["ids"].get<std::vector<std::int32_t>>());
      EXPECT_EQ(learned, one["learned"].get<std::string>());
      EXPECT_TRUE(encoded.ends_turns);
      ++cases;
    }
    EXPECT_EQ(cases, 147);
  }

  Json golden_ = Json::parse(read_text(golden_path("chats.json")));
  std::map<std::string, Tokenizer> tokenizers_;
};

TEST_F(ChatGolden, TokensAndMarksOfTemplatesWithTags) {
  compare([](std::string source) { return source; });
}

// Without the tags, answers are found by what they add to the text before them.
TEST_F(ChatGolden, TokensAndMarksOfTemplatesWithoutTags) {
  compare([](const std::string& source) {
    return std::regex_replace(source, std::regex("\\{% (end)?generation %\\}"), "");
  });
}

}  // namespace
}  // namespace fathom
